package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// installed is where Debian's postgresql-NN packages put each major version.
const installed = "/usr/lib/postgresql"

// oldest is the lowest major version the migrations are written for.
const oldest = 13

// binaries is the bin folder of one installed PostgreSQL.
type binaries struct {
	folder  string
	version int
}

func (b binaries) path(name string) string { return filepath.Join(b.folder, name) }

// findBinaries returns the newest installation under root, or the one of
// version want when that is not 0.
func findBinaries(root string, want int) (binaries, error) {
	entries, err := os.ReadDir(root)
	if err != nil && !os.IsNotExist(err) {
		return binaries{}, fmt.Errorf("look for postgresql in %s: %w", root, err)
	}
	var found []binaries
	for _, e := range entries {
		version, err := strconv.Atoi(e.Name())
		if err != nil || version < oldest || (want != 0 && version != want) {
			continue
		}
		b := binaries{folder: filepath.Join(root, e.Name(), "bin"), version: version}
		if isProgram(b.path("postgres")) && isProgram(b.path("initdb")) {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return binaries{}, missing(root, want)
	}
	return slices.MaxFunc(found, func(a, b binaries) int { return a.version - b.version }), nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func missing(root string, want int) error {
	if want != 0 {
		return fmt.Errorf("the database in the data folder is of PostgreSQL %d, which is not in %s: "+
			"install the Debian package postgresql-%d, or upgrade the folder with pg_upgrade", want, root, want)
	}
	return fmt.Errorf("no PostgreSQL %d or newer in %s: install the Debian package postgresql, "+
		"or configure a database that runs elsewhere", oldest, root)
}

// clusterVersion reads the major version a cluster was made with.
func clusterVersion(folder string) (int, error) {
	text, err := os.ReadFile(filepath.Join(folder, "PG_VERSION"))
	if err != nil {
		return 0, fmt.Errorf("read the version of %s: %w", folder, err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the version of %s: %w", folder, err)
	}
	return version, nil
}

// Installed names the newest PostgreSQL on this machine that a private cluster
// could run with, or says what to install.
func Installed() (version string, err error) {
	b, err := findBinaries(installed, 0)
	if err != nil {
		return "", err
	}
	return strconv.Itoa(b.version), nil
}
