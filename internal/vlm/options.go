package vlm

import (
	"errors"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// Options are those of all models. The package of a model has a type of its own,
// with the fields that the model has and their documentation.
type Options struct {
	Paper      bool // process pictures and write prompts as the paper's reference does
	Split      bool // look at the quarters of a picture besides the whole
	Checkpoint backends.Checkpointing
	Int8       bool     // rounds the weights of linear layers
	Ignore     []string // fields of JSON files that are passed over
	Variant    string   // of the files of weights
}

func (o Options) reading() hf.Reading {
	return hf.Reading{Ignore: o.Ignore, Variant: o.Variant, Int8: o.Int8}
}

func (o Options) check() error {
	if o.Split && o.Paper {
		return fmt.Errorf("%w: Split: the paper's reference, which Paper follows, splits no pictures", ErrOptions)
	}
	if err := errors.Join(o.Checkpoint.Validate(), o.reading().Check()); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return nil
}
