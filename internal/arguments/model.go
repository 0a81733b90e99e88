package arguments

import (
	"context"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/hub"
)

// Model returns the folder of what a user calls a model: hub.Model, of a variant. accept
// refuses a folder by its first file, before the user's own Accept is asked.
func Model(ctx context.Context, ref string, o hub.Options, variant string, accept func(folder string) error) (string, error) {
	also := o.Accept
	o.Variant = variant
	o.Accept = func(folder string) error {
		if err := accept(folder); err != nil || also == nil {
			return err
		}
		return also(folder)
	}
	return hub.Model(ctx, ref, o)
}

// Look returns the files of a repository for a sketch, which downloads no weights: it
// reads them where they are, and of those the heads alone. nil is for all else, which
// Model has a folder of.
func Look(ctx context.Context, rt *backends.Runtime, ref string, o hub.Options, variant string) (fs.FS, error) {
	if !rt.Sketched() || hub.Local(ref) {
		return nil, nil
	}
	o.Variant = variant
	return hub.Files(ctx, ref, o)
}
