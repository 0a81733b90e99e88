package study

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Setup is what the studies that train adapters have in common.
type Setup struct {
	// Task has Runtime, Generator and Verifier, which must be given, and how adapters are
	// trained. Prompts, Questions, checkpoints and callbacks are the study's. A Batch is
	// that of the pictures, too.
	Task dualprocess.Task

	// Label says which models these are, such as "FLUX.1-schnell, Qwen2.5-VL-7B". It is
	// one of the settings: results of one label never go on with models of another.
	// "" = the types of both.
	Label string

	// Seeds of the pictures, which trainings must not have seen. nil = as many as the
	// paper has, from 2^40 on; trainings draw theirs below 2^32.
	Seeds []int64

	// Short is for seeing in seconds that everything works: two updates a training, two
	// seeds, and of everything else the first.
	Short bool
}

// unseen are seeds that no training draws.
func unseen(n int) []int64 {
	seeds := make([]int64, n)
	for k := range seeds {
		seeds[k] = 1<<40 + int64(k)
	}
	return seeds
}

// Updates, batch and seeds of the short form.
const short = 2

// resolve fills in what is not given and checks the rest. seeds is how many the study
// takes by itself.
func (s *Setup) resolve(seeds int) error {
	t := &s.Task
	for field, missing := range map[string]bool{"Runtime": t.Runtime == nil, "Generator": t.Generator == nil, "Verifier": t.Verifier == nil} {
		if missing {
			return fmt.Errorf("%w: Task.%s must be given", ErrSettings, field)
		}
	}
	if s.Label == "" {
		s.Label = fmt.Sprintf("%T, %T", t.Generator, t.Verifier)
	}
	if s.Seeds == nil {
		s.Seeds = unseen(seeds)
	}
	if len(s.Seeds) == 0 {
		return fmt.Errorf("%w: Seeds has none", ErrSettings)
	}
	if s.Short {
		t.Updates, t.WarmUp, t.Decay, t.Accumulate = short, 0, 0, 0
		t.Batch, t.Seeds = min(t.Batch, short), t.Seeds[:min(len(t.Seeds), short)]
		s.Seeds = s.Seeds[:min(len(s.Seeds), short)]
	}
	t.Prompts, t.Questions = nil, nil
	t.Checkpoint, t.Snapshots = dualprocess.Checkpoint{}, dualprocess.Snapshots{}
	t.Progress, t.Status = nil, nil
	return nil
}

// task is that of a training for one prompt.
func (s *Setup) task(prompt string, questions ...dualprocess.Question) dualprocess.Task {
	t := s.Task
	t.Prompts, t.Questions = []string{prompt}, questions
	return t
}

// setupSettings are the setup among a study's settings.
type setupSettings struct {
	Models  string         `json:"models"`
	Backend string         `json:"backend"`
	DType   string         `json:"dtype"`
	Steps   int            `json:"steps"` // of the generator
	Task    map[string]any `json:"task"`
	Seeds   []int64        `json:"seeds"`
	Short   bool           `json:"short,omitempty"`
}

func (s *Setup) settings() setupSettings {
	return setupSettings{
		Models: s.Label, Backend: s.Task.Runtime.Name, DType: s.Task.Runtime.DType.String(),
		Steps: s.Task.Generator.Steps(), Task: data(s.Task), Seeds: s.Seeds, Short: s.Short,
	}
}

// data are the fields of a task that are plain data and not zero: everything that shapes
// a training but its models.
func data(t dualprocess.Task) map[string]any {
	out := map[string]any{}
	for v, k := reflect.ValueOf(t), 0; k < v.NumField(); k++ {
		field := v.Field(k)
		switch field.Kind() {
		case reflect.Func, reflect.Interface, reflect.Pointer:
			continue
		}
		if _, err := json.Marshal(field.Interface()); err == nil && !field.IsZero() {
			out[v.Type().Field(k).Name] = field.Interface()
		}
	}
	if t.Start != nil {
		out["Start"] = t.Start.String()
	}
	return out
}

// questionSettings is a question among a study's settings. Of an overlay, its form and
// numbers are what is printed.
type questionSettings struct {
	Text    string `json:"text"`
	Answer  string `json:"answer"`
	Overlay string `json:"overlay,omitempty"`
}

func settingsOf(questions ...dualprocess.Question) []questionSettings {
	var out []questionSettings
	for _, q := range questions {
		s := questionSettings{Text: q.Prompt(), Answer: q.Answer}
		if q.Overlay != nil {
			s.Overlay = fmt.Sprintf("%T", q.Overlay)
		}
		out = append(out, s)
	}
	return out
}
