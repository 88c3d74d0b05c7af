package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// installation is an Asterisk that can be run: of this machine (root is empty)
// or inside a folder that holds a small Debian.
type installation struct {
	root    string // folder to chroot into, or empty
	binary  string // path inside root
	modules string // path inside root
	data    string // path inside root: sounds, documentation, ARI description
	version string
}

// Available says whether Start can work here: nil, or what is missing and the
// command that brings it.
func Available() error {
	_, err := find("")
	return err
}

const remedy = "run docker/install.sh asterisk"

// find looks for an Asterisk: under root if given, else the machine's own if it
// is new enough, else the repository's .lab/asterisk.
func find(root string) (installation, error) {
	if root != "" {
		return inRoot(root)
	}
	inst, errSystem := onMachine()
	if errSystem == nil {
		return inst, nil
	}
	root, err := repositoryRoot()
	if err != nil {
		return inst, errors.Join(errSystem, err)
	}
	inst, err = inRoot(root)
	if err != nil {
		return inst, errors.Join(errSystem, err)
	}
	return inst, nil
}

// onMachine accepts the Asterisk in PATH when its version is good and the host's
// own name resolves: Asterisk stops serving calls while that takes seconds.
func onMachine() (installation, error) {
	binary, err := exec.LookPath("asterisk")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/asterisk"); err != nil {
			return installation{}, errors.New("this machine has no asterisk")
		}
	}
	inst, err := complete(installation{binary: binary})
	if err != nil {
		return inst, err
	}
	name, err := os.Hostname()
	if err != nil {
		return inst, err
	}
	if _, err := net.LookupHost(name); err != nil {
		return inst, fmt.Errorf("host name %s does not resolve: add it to /etc/hosts", name)
	}
	return inst, nil
}

// inRoot accepts a root folder made by docker/install.sh.
func inRoot(root string) (installation, error) {
	if _, err := os.Stat(filepath.Join(root, "usr/sbin/asterisk")); err != nil {
		return installation{}, fmt.Errorf("no asterisk in %s: %s", root, remedy)
	}
	return complete(installation{root: root, binary: "/usr/sbin/asterisk"})
}

// complete asks the binary for its version and finds its folders.
func complete(inst installation) (installation, error) {
	cmd := exec.Command(inst.binary, "-V")
	if inst.root != "" {
		cmd.SysProcAttr = rootLike()
		cmd.SysProcAttr.Chroot = inst.root
	}
	out, err := cmd.Output()
	if err != nil {
		return inst, fmt.Errorf("ask %s for its version (below a folder this needs root or user namespaces): %w", filepath.Join(inst.root, inst.binary), err)
	}
	inst.version = strings.TrimSpace(string(out))
	if !goodVersion(inst.version) {
		return inst, fmt.Errorf("%s is too old: want 20.21, 22.10.1, 23.5 or newer: %s", inst.version, remedy)
	}
	inst.modules, err = within(inst.root, "/usr/lib/*/asterisk/modules", "/usr/lib/asterisk/modules", "/usr/lib64/asterisk/modules")
	if err != nil {
		return inst, err
	}
	inst.data, err = within(inst.root, "/usr/share/asterisk", "/var/lib/asterisk")
	return inst, err
}

// within returns the first folder below root that a pattern names, as a path
// inside root.
func within(root string, patterns ...string) (string, error) {
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err == nil && len(found) > 0 {
			return strings.TrimPrefix(found[0], root), nil
		}
	}
	return "", fmt.Errorf("no %s: %s", filepath.Join(root, patterns[0]), remedy)
}

var versionPattern = regexp.MustCompile(`^Asterisk (?:certified[/-])?(\d+)\.(\d+)(?:\.(\d+))?`)

// goodVersion knows the releases in which the ARI deadlocks of 22.9 are mended
// (asterisk/asterisk 1962, 1907, 1928) and every request Ringmaster uses exists.
// docker/install.sh has the same list.
func goodVersion(version string) bool {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
	}
	switch n[0] {
	case 20:
		return n[1] >= 21
	case 22:
		return n[1] > 10 || n[1] == 10 && n[2] >= 1
	case 23:
		return n[1] >= 5
	}
	return n[0] > 23
}

// repositoryRoot finds .lab/asterisk in the repository this test or program
// runs in.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "docker", "install.sh")); err == nil {
			return filepath.Join(dir, ".lab", "asterisk"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside the repository, so no .lab/asterisk: give Config.Root")
		}
		dir = parent
	}
}
