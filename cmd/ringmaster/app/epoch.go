package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// nextEpoch counts the starts of this data folder. The number is durable
// before it is used: commands and identifiers of two starts never share it.
func nextEpoch(folder string) (uint64, error) {
	path := filepath.Join(folder, "epoch")
	var last uint64
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return 0, fmt.Errorf("read epoch: %w", err)
	default:
		if last, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil {
			return 0, fmt.Errorf("read epoch in %s: %w", path, err)
		}
	}
	next := last + 1
	if err := writeDurably(path, strconv.FormatUint(next, 10)+"\n"); err != nil {
		return 0, fmt.Errorf("write epoch: %w", err)
	}
	return next, nil
}

// writeDurably replaces a small file: whole or not at all, and on the disk
// when it returns.
func writeDurably(path, text string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".epoch-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
