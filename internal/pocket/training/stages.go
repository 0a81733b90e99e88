package training

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
)

// The plans of the stages, in their order.
var (
	autoencoderPlan = plan{name: "autoencoder", steps: 3600, batch: 32, seed: 11, adam: 2.5e-3, decay: 1e-4, flat: 0.35, ema: 0.998, noise: 0.3}
	decoderPlan     = plan{name: "decoder", steps: 1800, batch: 32, seed: 15, adam: 1.5e-3, decay: 1e-4, flat: 0.2, ema: 0.995, noise: 0.12}
	generatorPlan   = plan{name: "generator", steps: 5000, again: 5000, batch: 64, seed: 12, adam: 2e-3, muon: 0.02, flat: 0.35, ema: 0.998}
	verifierPlan    = plan{name: "verifier", steps: 13000, again: 8000, batch: 40, seed: 13, adam: 1.5e-3, muon: 0.02, flat: 0.375, ema: 0.998}
)

// planned applies the options to a plan.
func (o Options) planned(p plan) plan {
	if o.Steps > 0 {
		p.steps, p.again = o.Steps, min(p.again, o.Steps)
	}
	return p
}

// Autoencoder trains encoder and decoder on drawn scenes.
func Autoencoder(ctx context.Context, rt *backends.Runtime, o Options) error {
	p := o.planned(autoencoderPlan)
	a, err := newAutoencoder(rt, diffusion.DefaultConfig(1).Decoder, p.seed)
	if err != nil {
		return err
	}
	f, err := newFit(rt, p, a.source, a.loss)
	if err != nil {
		return err
	}
	return f.train(ctx, o, p.steps, a.drawBatch)
}

// Decoder goes on with the decoder alone: the latents stay, the pictures get
// sharper. It may run beside the generator's training.
func Decoder(ctx context.Context, rt *backends.Runtime, o Options) error {
	p := o.planned(decoderPlan)
	codec, err := openCodec(ctx, rt, o)
	if err != nil {
		return err
	}
	f, err := newFit(rt, p, codec.source.below(decoderPrefix), func(batch []*Node) (*Node, []*Node) {
		latents := Add(StopGradient(codec.normalized(batch[0])), batch[1])
		return pictureLoss(codec.decoder.Apply(nn.Pass{}, latents), batch[0])
	})
	if err != nil {
		return err
	}
	return f.train(ctx, o, p.steps, codec.drawBatch)
}

// Generator trains the transformer on latents of the narrow world.
func Generator(ctx context.Context, rt *backends.Runtime, o Options) error {
	return o.generator(ctx, rt, o.planned(generatorPlan).steps)
}

// GeneratorAgain goes on with the transformer. The verifier has seen pictures of the
// younger one by then, and goes on as well.
func GeneratorAgain(ctx context.Context, rt *backends.Runtime, o Options) error {
	return o.generator(ctx, rt, o.planned(generatorPlan).total())
}

func (o Options) generator(ctx context.Context, rt *backends.Runtime, until int) error {
	const poolSize = 60_000
	p := o.planned(generatorPlan)
	codec, err := openCodec(ctx, rt, o)
	if err != nil {
		return err
	}
	g, err := newFlow(rt, p.seed)
	if err != nil {
		return err
	}
	o.Logger.Info("encoding scenes", "count", poolSize)
	if err := g.fill(ctx, codec, poolSize, p.seed); err != nil {
		return err
	}
	f, err := newFit(rt, p, g.source, g.loss)
	if err != nil {
		return err
	}
	return f.train(ctx, o, until, g.drawBatch)
}

// The verifier's training has phases: drawn pictures alone, until it reads them;
// then decoded and ruined ones too; then what the generator makes.
const (
	verifierDrawn   = 1600 // steps
	verifierDecoded = 2400 // steps, the first phase included
)

// Verifier trains the vision-language model.
func Verifier(ctx context.Context, rt *backends.Runtime, o Options) error {
	p := o.planned(verifierPlan)
	v, err := newVerifier(rt, p.seed)
	if err != nil {
		return err
	}
	f, err := newFit(rt, p, v.source, v.loss)
	if err != nil {
		return err
	}
	if err := f.train(ctx, o, min(verifierDrawn, p.steps), v.drawBatch); err != nil {
		return err
	}
	if v.codec, err = openCodec(ctx, rt, o); err != nil {
		return err
	}
	if err := f.use(rt, v.loss); err != nil {
		return err
	}
	if err := f.train(ctx, o, min(verifierDecoded, p.steps), v.drawBatch); err != nil {
		return err
	}
	if v.pool, err = o.generated(ctx, rt, v.codec, false); err != nil {
		return err
	}
	return f.train(ctx, o, p.steps, v.drawBatch)
}

// generated makes pictures with the trained generator.
func (o Options) generated(ctx context.Context, rt *backends.Runtime, c *codec, faint bool) (*picturePool, error) {
	const poolSize, seed = 12_000, 14
	g, err := newFlow(rt, 0)
	if err != nil {
		return nil, err
	}
	if err := g.source.loadAverage(o.path(generatorPlan.name)); err != nil {
		return nil, fmt.Errorf("training: the generator comes first: %w", err)
	}
	o.Logger.Info("making pictures", "count", poolSize)
	return newPicturePool(ctx, rt, c, g, poolSize, seed, faint)
}

// VerifierAgain goes on with it, on pictures of the generator as it is by then, those with a
// faint horizon included, and asks more about marks, since most controls are about one.
func VerifierAgain(ctx context.Context, rt *backends.Runtime, o Options) error {
	p := o.planned(verifierPlan)
	v, err := newVerifier(rt, p.seed)
	if err != nil {
		return err
	}
	v.examiner.marks = true
	if v.codec, err = openCodec(ctx, rt, o); err != nil {
		return err
	}
	if v.pool, err = o.generated(ctx, rt, v.codec, true); err != nil {
		return err
	}
	f, err := newFit(rt, p, v.source, v.loss)
	if err != nil {
		return err
	}
	return f.train(ctx, o, p.total(), v.drawBatch)
}
