//go:build !(linux || darwin)

package install

import "context"

// Lock makes folder if need be. It does not lock here: two processes may both download, and since each renames a
// complete file into place, the last one wins and neither sees half a file.
func Lock(_ context.Context, folder string) (unlock func(), err error) {
	return func() {}, Writable(folder)
}
