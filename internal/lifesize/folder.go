package lifesize

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/files"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// folder is a file system whose weights are made up while they are read.
type folder struct {
	texts   fstest.MapFS // the weights, too, but empty, so that they are listed
	weights map[string]*file
}

// add adds tensors to a file of weights.
func (f *folder) add(name string, tensors []weights.Tensor, dtype safetensors.DType) {
	made := newFile(tensors, dtype)
	f.texts[name] = &fstest.MapFile{Mode: 0o644}
	f.weights[name] = made
}

// Open implements fs.FS.
func (f *folder) Open(name string) (fs.File, error) {
	if w := f.weights[name]; w != nil {
		return &reading{file: w, name: filepath.Base(name)}, nil
	}
	return f.texts.Open(name)
}

// reading is an open file of weights.
type reading struct {
	*file
	name string
	at   int64
}

func (r *reading) Read(b []byte) (int, error) {
	n, err := r.ReadAt(b, r.at)
	r.at += int64(n)
	return n, err
}

func (r *reading) Close() error               { return nil }
func (r *reading) Stat() (fs.FileInfo, error) { return r, nil }
func (r *reading) Name() string               { return r.name }
func (r *reading) Size() int64                { return r.size }
func (r *reading) Mode() fs.FileMode          { return 0o444 }
func (r *reading) ModTime() time.Time         { return time.Time{} }
func (r *reading) IsDir() bool                { return false }
func (r *reading) Sys() any                   { return nil }

// Write copies a checkpoint to a folder of the operating system, file by file and never a whole one in memory. Files that
// are there with the right size are taken for copied.
func Write(ctx context.Context, checkpoint fs.FS, to string) error {
	err := fs.WalkDir(checkpoint, ".", func(name string, entry fs.DirEntry, err error) error {
		target := filepath.Join(to, filepath.FromSlash(name))
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return copyFile(checkpoint, name, target)
	})
	if err != nil {
		return fmt.Errorf("lifesize: %w", err)
	}
	return nil
}

func copyFile(checkpoint fs.FS, name, target string) error {
	from, err := checkpoint.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it is only read
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(target); err == nil && there.Size() == info.Size() {
		return nil
	}
	return files.Write(target, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
}
