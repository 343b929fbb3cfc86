package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

// nodes are machines that exist on paper: the scheduler sends pods there, and step says what a kubelet would.
type nodes struct {
	*controlPlane
	namespace string
	addresses int
}

// pod is what a step looks at.
type pod struct {
	Metadata struct {
		Name              string            `json:"name"`
		Labels            map[string]string `json:"labels"`
		DeletionTimestamp string            `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		NodeName string `json:"nodeName"`
	} `json:"spec"`
	Status struct {
		PodIP string `json:"podIP"`
	} `json:"status"`
}

func (p pod) of(service string) bool { return p.Metadata.Labels["app.kubernetes.io/name"] == service }

// schedule makes three nodes in as many zones, and starts a scheduler.
func (c *controlPlane) schedule(namespace string) *nodes {
	c.t.Helper()
	for _, name := range []string{"a", "b", "c"} {
		node := fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":"%s","labels":{`+
			`"kubernetes.io/hostname":"%s","topology.kubernetes.io/zone":"%s"}}}`, name, name, name)
		const ready = `{"status":{"capacity":{"cpu":"64","memory":"256Gi","pods":"500","ephemeral-storage":"500Gi"},` +
			`"allocatable":{"cpu":"64","memory":"256Gi","pods":"500","ephemeral-storage":"500Gi"},` +
			`"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}]}}`
		_, created := c.kubectl(node, "create", "-f", "-")
		_, patched := c.kubectl("", "patch", "node", name, "--subresource=status", "-p", ready)
		_, untainted := c.kubectl("", "taint", "node", name, "node.kubernetes.io/not-ready-")
		if err := errors.Join(created, patched, untainted); err != nil {
			c.t.Fatal(err)
		}
	}
	c.run("kube-scheduler", "--kubeconfig", c.config("scheduler"), "--leader-elect=false", "--secure-port", "0")
	return &nodes{controlPlane: c, namespace: namespace}
}

func (n *nodes) pods(t *testing.T) []pod {
	t.Helper()
	out, err := n.kubectl("", "get", "pods", "-n", n.namespace, "-o", "json")
	var list struct{ Items []pod }
	if err := errors.Join(err, json.Unmarshal([]byte(out), &list)); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// step lets every pod that has a node be ready, and every one that is to go be gone.
func (n *nodes) step(t *testing.T) {
	t.Helper()
	for _, p := range n.pods(t) {
		var err error
		switch {
		case p.Metadata.DeletionTimestamp != "":
			_, err = n.kubectl("", "delete", "pod", "-n", n.namespace, p.Metadata.Name, "--force", "--grace-period=0", "--ignore-not-found")
			if err != nil && strings.Contains(err.Error(), "Immediate deletion") { // a warning of kubectl's
				err = nil
			}
		case p.Spec.NodeName != "" && p.Status.PodIP == "":
			n.addresses++
			ip := fmt.Sprintf("10.1.0.%d", n.addresses)
			since := time.Now().UTC().Format(time.RFC3339)
			_, err = n.kubectl("", "patch", "pod", "-n", n.namespace, p.Metadata.Name, "--subresource=status", "-p",
				`{"status":{"phase":"Running","podIP":"`+ip+`","podIPs":[{"ip":"`+ip+`"}],"conditions":[`+
					`{"type":"Ready","status":"True","lastTransitionTime":"`+since+`"}]}}`)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// endpoints returns how many addresses of a service requests are sent to.
func (n *nodes) endpoints(service string) (int, error) {
	out, err := n.kubectl("", "get", "endpointslices", "-n", n.namespace, "-l", "kubernetes.io/service-name="+service, "-o",
		"jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses}")
	return strings.Count(out, "10.1."), err
}

// wantEndpoints lets pods become ready until a service has its two.
func (n *nodes) wantEndpoints(t *testing.T, service string) {
	t.Helper()
	n.eventually(t, "two endpoints of "+service, func() error {
		n.step(t)
		have, err := n.endpoints(service)
		if err == nil && have != 2 {
			err = fmt.Errorf("%d", have)
		}
		return err
	})
}

// Pods are spread over the nodes, Services find them, a drain waits for a replacement, and a rollout never has fewer ready than before.
func (c *controlPlane) live(t *testing.T, w manifests.World) {
	c.deploy(t, w)
	n := c.schedule(strings.ReplaceAll(w.Name, " ", "-"))
	services := []string{}
	for _, o := range w.Objects {
		if o.Kind() == "Service" {
			services = append(services, o.Name())
		}
	}
	for _, service := range services {
		n.wantEndpoints(t, service)
		var on []string
		for _, p := range n.pods(t) {
			if p.of(service) {
				on = append(on, p.Spec.NodeName)
			}
		}
		if len(on) != 2 || on[0] == on[1] {
			t.Errorf("%s: want its pods on two nodes, have them on %v", service, on)
		}
	}
	n.drain(t, "agent-state")
	n.rollout(t, "ingress-ipex")
}

// drain evicts both pods of a service: the second has to wait until the first is replaced.
func (n *nodes) drain(t *testing.T, service string) {
	t.Helper()
	n.eventually(t, "a budget that allows a disruption", func() error {
		out, err := n.kubectl("", "get", "pdb", "-n", n.namespace, service, "-o", "jsonpath={.status.disruptionsAllowed}")
		if err == nil && out != "1" {
			err = fmt.Errorf("%s", out)
		}
		return err
	})
	var evicted []error
	for _, p := range n.pods(t) {
		if p.of(service) {
			evicted = append(evicted, n.evict(p))
		}
	}
	if len(evicted) != 2 || evicted[0] != nil || evicted[1] == nil || !strings.Contains(evicted[1].Error(), "disruption budget") {
		t.Errorf("want one of two pods evicted, and the other kept by the budget, have %v", evicted)
	}
	n.wantEndpoints(t, service)
}

func (n *nodes) evict(p pod) error {
	eviction := fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"%s","namespace":"%s"}}`,
		p.Metadata.Name, n.namespace)
	_, err := n.kubectl(eviction, "create", "--raw", "/api/v1/namespaces/"+n.namespace+"/pods/"+p.Metadata.Name+"/eviction", "-f", "-")
	return err
}

// rollout replaces all pods of a Deployment.
func (n *nodes) rollout(t *testing.T, service string) {
	t.Helper()
	old := map[string]bool{}
	for _, p := range n.pods(t) {
		old[p.Metadata.Name] = true
	}
	if _, err := n.kubectl("", "rollout", "restart", "-n", n.namespace, "deployment/"+service); err != nil {
		t.Fatal(err)
	}
	n.eventually(t, "new pods of "+service, func() error {
		// Looked at before new pods become ready: who was taken away for them is missing now.
		if have, err := n.endpoints(service); err != nil || have < 2 {
			t.Errorf("want never fewer than two endpoints of %s, have %d (%v)", service, have, err)
		}
		n.step(t)
		left := 0
		for _, p := range n.pods(t) {
			if p.of(service) && old[p.Metadata.Name] {
				left++
			}
		}
		if left > 0 {
			return fmt.Errorf("%d old ones", left)
		}
		return nil
	})
}
