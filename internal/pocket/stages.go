package pocket

import (
	"context"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
)

// TrainAutoencoder trains encoder and decoder on drawn scenes.
func TrainAutoencoder(ctx context.Context, rt *backends.Runtime, o Options) error {
	p := plan{name: "autoencoder", steps: 6000, batch: 32, seed: 11, adam: 2.5e-3, decay: 1e-4, flat: 0.35, ema: 0.998}
	if o.Steps > 0 {
		p.steps = o.Steps
	}
	a, err := newAutoencoder(rt, pocket.DefaultConfig(1).Decoder, p.seed)
	if err != nil {
		return err
	}
	f, err := newFit(rt, p, a.source, a.loss)
	if err != nil {
		return err
	}
	return f.train(ctx, o, a.drawBatch)
}
