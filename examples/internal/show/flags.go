package show

import (
	"flag"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dualprocess/dualprocess-go/overlay"
)

// flags are those that all examples know. What is not given on the command line
// leaves the example's own settings as they are.
type flags struct {
	prompts, unseen texts
	question        string
	answer          string
	overlay         string
	fit             overlay.Fit
	seeds           int
	updates         int
	backend         string
	out             string
	weight          float64
	rate            float64
	drift           float64
	stop            float64
	short, hack     bool
	guard           bool

	given map[string]bool // names of the flags on the command line
}

// texts is a flag that may be given several times.
type texts []string

func (t *texts) String() string { return strings.Join(*t, "; ") }

func (t *texts) Set(value string) error {
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("must not be empty")
	}
	*t = append(*t, value)
	return nil
}

// Floats is a flag of numbers with commas between them.
type Floats []float64

// String prints them.
func (f *Floats) String() string {
	var words []string
	for _, v := range *f {
		words = append(words, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strings.Join(words, ",")
}

// Set replaces them.
func (f *Floats) Set(value string) error {
	*f = nil
	for word := range strings.SplitSeq(value, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is not a number", word)
		}
		*f = append(*f, v)
	}
	return nil
}

// ownDefault marks flags whose default depends on the example.
const ownDefault = " (the example's own unless given)"

// register declares the flags.
func (f *flags) register(set *flag.FlagSet, example string) {
	set.Var(&f.prompts, "prompt", "prompt to train with; give it again for more"+ownDefault)
	set.Var(&f.unseen, "unseen", "prompt to evaluate with; give it again for more"+ownDefault)
	set.StringVar(&f.question, "question", "", "question to ask of the pictures"+ownDefault)
	set.StringVar(&f.answer, "answer", "Yes", "wanted answer to the question of -question")
	set.StringVar(&f.overlay, "overlay", "", "picture to lay over the generated ones before the question is asked"+ownDefault)
	set.Func("fit", "`how` a picture of -overlay with other proportions is fitted: strict (an error), stretch, contain or cover (strict unless given)", f.setFit)
	set.IntVar(&f.seeds, "seeds", 16, "unseen seeds to evaluate every prompt with")
	set.IntVar(&f.updates, "updates", 0, "most updates"+ownDefault)
	set.Float64Var(&f.rate, "lr", 0, "learning rate"+ownDefault)
	set.Float64Var(&f.weight, "weight", 0, "of the adapter, while training and evaluating"+ownDefault)
	set.Float64Var(&f.drift, "drift", 0, "weight of the distance from the base model, 0 for none"+ownDefault)
	set.Float64Var(&f.stop, "stop", 0, "P(answer) that ends the training, 0 for none"+ownDefault)
	set.StringVar(&f.backend, "backend", "", "xla:cuda, xla:cpu or go (the fastest here unless given)")
	set.StringVar(&f.out, "out", filepath.Join("out", example), "folder for the results")
	set.BoolVar(&f.short, "short", false, "a few updates and seeds, to see that everything works")
	set.BoolVar(&f.guard, "guard", false, "validate on the way, with the measurement as a judge and bounds on the pictures, and keep the best adapter that they do not suspect")
	set.BoolVar(&f.hack, "hack", false, "show reward hacking: ten times the learning rate and no guard")
}

// setFit reads the flag -fit.
func (f *flags) setFit(value string) error {
	fits := map[string]overlay.Fit{"strict": overlay.Strict, "stretch": overlay.Stretch, "contain": overlay.Contain, "cover": overlay.Cover}
	fit, ok := fits[value]
	if !ok {
		return fmt.Errorf("must be strict, stretch, contain or cover")
	}
	f.fit = fit
	return nil
}

// parse reads the command line; set may have flags of the example's own. Errors
// have been printed, with the usage, when it returns.
func (f *flags) parse(set *flag.FlagSet, example string, args []string, errors io.Writer) error {
	f.register(set, example)
	set.SetOutput(errors)
	if err := set.Parse(args); err != nil {
		return err
	}
	f.given = map[string]bool{}
	set.Visit(func(g *flag.Flag) { f.given[g.Name] = true })
	switch {
	case set.NArg() > 0:
		return f.misuse(set, "unexpected argument %q", set.Arg(0))
	case f.seeds < 1:
		return f.misuse(set, "-seeds is %d, must be at least 1", f.seeds)
	case f.given["fit"] && f.overlay == "":
		return f.misuse(set, "-fit is for a picture of -overlay, and none is given")
	case f.given["updates"] && f.updates < 1:
		return f.misuse(set, "-updates is %d, must be at least 1", f.updates)
	}
	return nil
}

func (f *flags) misuse(set *flag.FlagSet, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	fmt.Fprintln(set.Output(), err)
	set.Usage()
	return err
}
