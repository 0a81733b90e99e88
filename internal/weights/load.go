package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
)

// Load opens the checkpoint in folder dir, lets build ask for its parameters,
// and reports everything that is missing, misshapen or surplus. known accepts
// tensors that real checkpoints carry and the model has no use for; nil accepts
// none.
func Load(fsys fs.FS, dir string, store *model.Store, root string, known func(name string) bool, build func(Cursor)) error {
	return LoadTo(nil, fsys, dir, store, root, known, build)
}

// LoadTo is Load for large checkpoints: each tensor goes from the mapped file to
// the backend's device at once, and is never elsewhere in memory.
func LoadTo(backend compute.Backend, fsys fs.FS, dir string, store *model.Store, root string, known func(name string) bool, build func(Cursor)) error {
	checkpoint, err := Open(fsys, dir, store, root)
	if err != nil {
		return err
	}
	checkpoint.backend = backend
	cursor := NewCursor(checkpoint)
	build(cursor)
	return errors.Join(cursor.Err(), checkpoint.Close(known))
}

// Root returns path, or path with a number where the store has that tree
// already: two models must never share a variable.
func Root(store *model.Store, path string) string {
	taken := func(root string) bool {
		for v := range store.IterVariables() {
			if strings.HasPrefix(v.Path(), root+"/") {
				return true
			}
		}
		return false
	}
	root := path
	for n := 2; taken(root); n++ {
		root = fmt.Sprintf("%s%d", path, n)
	}
	return root
}
