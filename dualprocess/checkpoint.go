package dualprocess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// ErrCheckpoint says that a checkpoint is another task's or evaluation's, or from
// another version of this library. The message names the field that differs.
var ErrCheckpoint = errors.New("checkpoint does not fit")

// Checkpoint says where a training is kept, so that it can go on after a crash: the
// same Task with the same folder does so by itself, and gives the adapter that it
// would have given without the interruption, bit for bit. When it was done already,
// the adapter is read and returned.
//
// Files appear whole or not at all, whenever the process dies and whether or not the
// disk is full, and the last two are kept: if one has been damaged since, the one
// before counts. A checkpoint is made every so many updates, at the end, and when
// the context ends. Two trainings must not share a folder at the same time.
type Checkpoint struct {
	Folder string // made if there is none; other files in it are left alone; empty = no checkpoints
	Every  int    // so many updates; 0 = 10
}

// The names of checkpoints are sorted as their updates are.
const (
	checkpointPrefix = "checkpoint-"
	checkpointSuffix = ".safetensors"
	keptCheckpoints  = 2
)

func checkpointName(updates int) string {
	return fmt.Sprintf("%s%08d%s", checkpointPrefix, updates, checkpointSuffix)
}

// files lists the checkpoints in the folder, the newest first.
func (c Checkpoint) files() ([]string, error) {
	entries, err := os.ReadDir(c.Folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if n := e.Name(); strings.HasPrefix(n, checkpointPrefix) && strings.HasSuffix(n, checkpointSuffix) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, nil
}

// prune removes all checkpoints but the last two, and what a process that was killed
// left half written.
func (c Checkpoint) prune() error {
	names, err := c.files()
	if err != nil {
		return err
	}
	torn, err := filepath.Glob(filepath.Join(c.Folder, files.Temporary(checkpointPrefix)))
	if err != nil {
		torn = nil // the folder's name is a bad pattern: they stay
	}
	for _, n := range names[min(len(names), keptCheckpoints):] {
		torn = append(torn, filepath.Join(c.Folder, n))
	}
	var errs []error
	for _, path := range torn {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// resume goes on from the newest sound checkpoint of the task, if there is any.
func (d *distiller) resume() error {
	c := d.Checkpoint
	if c.Folder == "" {
		return nil
	}
	if err := os.MkdirAll(c.Folder, 0o777); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	names, err := c.files()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(c.Folder, name)
		s, err := readSaved(path)
		if errors.Is(err, errTorn) {
			d.Logger.Warn("checkpoint passed over", "file", path, "why", err)
			continue
		}
		if err == nil {
			err = d.restore(s)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		d.Logger.Info("going on from a checkpoint", "file", path, "updates", d.made)
		return nil
	}
	return nil
}

// keep writes a checkpoint where one is due.
func (d *distiller) keep(now bool) error {
	c := d.Checkpoint
	if c.Folder == "" || d.made == d.kept || !now && d.made%c.Every != 0 {
		return nil
	}
	d.clock.phase(Saving)
	s, err := d.save()
	if err == nil {
		err = s.writeFile(filepath.Join(c.Folder, s.name()))
	}
	if err == nil {
		d.kept = d.made
		err = c.prune()
	}
	if err != nil {
		return fmt.Errorf("checkpoint after update %d: %w", d.made, err)
	}
	return nil
}
