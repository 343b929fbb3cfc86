package event

import (
	"fmt"
	"strings"
)

// CommandSubject returns the subject that a command is sent on. It is an error if any part of it is not exactly one token.
func CommandSubject(vendor, tenant, action string) (string, error) {
	for _, token := range []string{vendor, tenant, action} {
		if !IsToken(token) {
			return "", fmt.Errorf("command: %q is not a subject token", token)
		}
	}
	return strings.Join([]string{CommandRoot, vendor, tenant, action}, "."), nil
}

// ParseCommandSubject returns what a command's subject says; all are empty for another subject.
func ParseCommandSubject(subject string) (vendor, tenant, action string) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 5 || tokens[0]+"."+tokens[1] != CommandRoot {
		return "", "", ""
	}
	return tokens[2], tokens[3], tokens[4]
}

// AuditSubject returns the subject that the audit of a tenant's commands is on.
func AuditSubject(vendor, tenant string) (string, error) {
	for _, token := range []string{vendor, tenant} {
		if !IsToken(token) {
			return "", fmt.Errorf("audit: %q is not a subject token", token)
		}
	}
	return strings.Join([]string{AuditRoot, vendor, tenant, "command"}, "."), nil
}
