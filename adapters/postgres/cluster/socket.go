package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// socketFile is the name PostgreSQL gives the socket of port 5432.
const socketFile = ".s.PGSQL.5432"

// maxSocketPath is sun_path of unix(7) less its final zero.
const maxSocketPath = 107

// socketFolder returns the folder of the socket as we and as the server call
// it: the cluster itself, or a short folder made for it when the path would not
// fit into a socket address.
func socketFolder(folder string, id identity) (ours, servers string, err error) {
	if len(filepath.Join(folder, socketFile)) <= maxSocketPath {
		return folder, ".", nil
	}
	sum := sha256.Sum256([]byte(folder))
	short := filepath.Join("/tmp", "ringmaster-"+hex.EncodeToString(sum[:6]))
	if err := id.own(short); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", "", err
	}
	// Anyone may make folders in /tmp: one that is not its user's alone would
	// let others answer in the server's place.
	info, err := os.Lstat(short)
	if err != nil {
		return "", "", fmt.Errorf("look at socket folder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != id.uid || info.Mode().Perm() != 0o700 {
		return "", "", fmt.Errorf("socket folder %s is not a folder of user %d alone: remove it, "+
			"or choose a data folder with a shorter path", short, id.uid)
	}
	return short, short, nil
}
