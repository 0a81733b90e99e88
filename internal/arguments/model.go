package arguments

import (
	"context"

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
