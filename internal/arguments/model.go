package arguments

import (
	"context"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/hub"
)

// Model returns the folder of what a user calls a model: hub.Model, of a variant. accept
// refuses a folder by its first file, before the user's own Accept is asked. For a sketch,
// a repository is not downloaded: its files are returned, which are read where they are, and
// of weights the heads alone. They are nil for all else.
func Model(ctx context.Context, rt *backends.Runtime, ref string, o hub.Options, variant string, accept func(folder string) error) (folder string, files fs.FS, err error) {
	o.Variant = variant
	if rt.Sketched() && !hub.Local(ref) {
		files, err = hub.Files(ctx, ref, o)
		return ref, files, err
	}
	also := o.Accept
	o.Accept = func(folder string) error {
		if err := accept(folder); err != nil || also == nil {
			return err
		}
		return also(folder)
	}
	folder, err = hub.Model(ctx, ref, o)
	return folder, nil, err
}
