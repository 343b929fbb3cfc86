// Package compose_test checks deploy/compose.yaml without an engine: by the code that Docker Compose reads it with, and against the
// programs, files and servers that it names. It is a module of its own, for the sake of that code's dependencies.
package compose_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// load reads the file with all its profiles. What the schema does not know is an error.
func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{root + "/deploy/compose.yaml"}, cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// run runs a command in the root of the repository.
func run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// own returns the services that are programs of this repository, and which.
func own(project *types.Project) map[string]string {
	programs := map[string]string{}
	for name, service := range project.Services {
		if service.Build != nil && service.Build.Args["SERVICE"] != nil {
			programs[name] = *service.Build.Args["SERVICE"]
		}
	}
	return programs
}

// Every service of ours is there, and is built by the Dockerfile.
func TestServices(t *testing.T) {
	project := load(t)
	programs := slices.Sorted(maps.Values(own(project)))
	folders, err := os.ReadDir(root + "/services")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if name := folder.Name(); name != "standalone" && !slices.Contains(programs, name) {
			t.Errorf("want a service that runs %s, have none", name)
		}
	}
	for name, program := range own(project) {
		build := project.Services[name].Build
		for _, path := range []string{filepath.Join(build.Context, build.Dockerfile), filepath.Join(root, "services", program, "main.go")} {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, name := range []string{"nats", "postgres", "prometheus", "grafana"} {
		if _, ok := project.Services[name]; !ok {
			t.Errorf("want a service %s, have none", name)
		}
	}
}

// Programs know each flag and each variable that they are given.
func TestFlags(t *testing.T) {
	project := load(t)
	for name, program := range own(project) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := project.Services[name]
			help := run(t, "go", "run", "./services/"+program, "--help")
			args := []string(service.Command)
			if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				help += run(t, "go", "run", "./services/"+program, args[0], "--help")
			}
			if program == "pbxctl" { // which of its commands reads the configuration
				help += run(t, "go", "run", "./services/pbxctl", "quarantine", "redrive", "--help")
			}
			for _, arg := range args {
				if strings.HasPrefix(arg, "--") && !strings.Contains(help, arg+" ") {
					t.Errorf("want %s a flag of %s, have\n%s", arg, program, help)
				}
			}
			for variable := range service.Environment {
				if !strings.Contains(help, "$"+variable+"]") {
					t.Errorf("want %s a variable of %s, have\n%s", variable, program, help)
				}
			}
		})
	}
}

// What is mounted is there; what is written to is a volume.
func TestMounts(t *testing.T) {
	project := load(t)
	for name, service := range project.Services {
		for _, mount := range service.Volumes {
			switch mount.Type {
			case types.VolumeTypeBind:
				if _, err := os.Stat(mount.Source); err != nil || !mount.ReadOnly {
					t.Errorf("%s: want %s to be there, and mounted read-only: %v", name, mount.Source, err)
				}
			case types.VolumeTypeVolume:
				if _, ok := project.Volumes[mount.Source]; !ok {
					t.Errorf("%s: want volume %s declared", name, mount.Source)
				}
			}
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: want port %s on 127.0.0.1 only, have %q", name, port.Published, port.HostIP)
			}
		}
	}
}

// The NATS server gets each variable that its configuration names, and every service the password of its own user.
func TestNATS(t *testing.T) {
	project := load(t)
	nats := project.Services["nats"]
	var want []string
	for _, file := range []string{"single.conf", "accounts.conf"} {
		text, err := os.ReadFile(root + "/deploy/nats/" + file)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, regexp.MustCompile(`\$(NATS_[A-Z_]+)`).FindAllString(string(text), -1)...)
	}
	for _, name := range want {
		if nats.Environment[name[1:]] == nil {
			t.Errorf("nats: want %s set, have it unset", name[1:])
		}
	}
	for name, program := range own(project) {
		url := project.Services[name].Environment["SWITCHHOOK_NATS"]
		user := map[string]string{"pbxctl": "operator"}[program]
		if user == "" {
			user = program
		}
		if want := "nats://" + user + ":laptop-only@nats:4222"; program != "pbxsim" && (url == nil || *url != want) {
			t.Errorf("%s: want %s, have %v", name, want, url)
		}
	}
}

// Prometheus scrapes every service, by the names that they have here, and the configuration is right.
func TestConfiguration(t *testing.T) {
	project := load(t)
	scraped, err := os.ReadFile(root + "/deploy/compose/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range project.Services {
		if service.Environment["SWITCHHOOK_ADMIN_LISTEN"] != nil && !strings.Contains(string(scraped), "- "+name+":8081\n") {
			t.Errorf("want %s:8081 scraped, have\n%s", name, scraped)
		}
	}
	run(t, "go", "run", "./services/pbxctl", "config", "check", "deploy/compose/switchhook/switchhook.yaml")
}
