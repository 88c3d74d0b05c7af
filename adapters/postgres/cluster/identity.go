package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// identity is the user the server runs as. PostgreSQL refuses to be root.
type identity struct{ uid, gid int }

// chooseIdentity is us, or when we are root: whoever owns the cluster already,
// else the Debian package's user, else nobody. A number without a name in the
// user database will not do, because initdb looks its own name up.
func chooseIdentity(folder string) (identity, error) {
	us := os.Geteuid()
	if info, err := os.Stat(folder); err == nil {
		owner, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || owner.Uid == 0:
			return identity{}, fmt.Errorf("database folder %s belongs to root, as whom PostgreSQL will not run: "+
				"chown -R it to another user", folder)
		case us != 0 && us != int(owner.Uid):
			return identity{}, fmt.Errorf("database folder %s belongs to user %d and we are %d: "+
				"run as that user or as root, or choose another data folder", folder, owner.Uid, us)
		}
		return identity{int(owner.Uid), int(owner.Gid)}, nil
	}
	if us != 0 {
		return identity{us, os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return parseIdentity(u)
		}
	}
	return identity{}, errors.New("PostgreSQL will not run as root and there is neither a user postgres nor nobody: create one")
}

func parseIdentity(u *user.User) (identity, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return identity{}, fmt.Errorf("read the uid of user %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return identity{}, fmt.Errorf("read the gid of user %s: %w", u.Username, err)
	}
	return identity{uid, gid}, nil
}

// credential is what makes a child run as id, nil when that is us anyway.
func (id identity) credential() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid)}
}

// own makes the folder, closed to everyone else, and gives it to id.
func (id identity) own(folder string) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("make database folder: %w", err)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	if err := os.Chown(folder, id.uid, id.gid); err != nil {
		return fmt.Errorf("give database folder to its user: %w", err)
	}
	return nil
}
