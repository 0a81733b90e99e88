package show

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/files"
)

// record is the JSON file of a run. Numbers that do not exist are null.
type record struct {
	Example   string           `json:"example"`
	Arguments []string         `json:"arguments"`
	Started   time.Time        `json:"started"`
	Seconds   Number           `json:"seconds"` // until it was written
	Backend   string           `json:"backend"`
	Reason    []string         `json:"reason"` // why that backend
	Controls  []*controlRecord `json:"controls"`
	// Tables are what the example printed besides, by name.
	Tables map[string][][]string `json:"tables,omitempty"`
}

type controlRecord struct {
	Name      string                    `json:"name"`
	Task      taskRecord                `json:"task"`
	Training  map[string][]updateRecord `json:"training"` // by what was trained; "updates" are the adapter's
	Seconds   Number                    `json:"training_seconds"`
	Ended     string                    `json:"ended"`
	Adapter   string                    `json:"adapter,omitempty"` // file
	Sheet     string                    `json:"sheet,omitempty"`   // file
	Gauges    []string                  `json:"gauges"`            // names, in the order of every list of gauges
	Judged    bool                      `json:"judged"`
	Learned   bool                      `json:"learned"` // P(answer) rose
	Failed    bool                      `json:"failed"`  // P(answer) fell
	Suspected []string                  `json:"suspected_reward_hacking"`
	Suffered  []string                  `json:"suffered"` // qualities that fell, by more than chance
	Groups    []groupRecord             `json:"groups"`
}

// taskRecord is what a control was distilled with.
type taskRecord struct {
	Prompts        []string `json:"prompts"`
	Questions      []string `json:"questions"`
	Rank           int      `json:"rank"`
	Weight         Number   `json:"weight"`
	LearningRate   Number   `json:"learning_rate"`
	Updates        int      `json:"updates"`
	Batch          int      `json:"batch"`
	Drift          Number   `json:"drift"`
	Preserve       []string `json:"preserve,omitempty"`
	PreserveWeight Number   `json:"preserve_weight"`
	StopAt         Number   `json:"stop_at"`
	Seed           int64    `json:"seed"`
	FirstStep      int      `json:"first_step"`
	EndStep        int      `json:"end_step"`
	WarmUp         int      `json:"warm_up"`
	Decay          int      `json:"decay"`
}

type updateRecord struct {
	Number       int    `json:"number"`
	Loss         Number `json:"loss"`
	P            Number `json:"p"`
	Step         int    `json:"step"`
	GradientNorm Number `json:"gradient_norm"`
	Drift        Number `json:"drift"`
	Preserved    Number `json:"preserved"`
	LearningRate Number `json:"learning_rate"`
	Skipped      bool   `json:"skipped,omitempty"`
	Seconds      Number `json:"seconds"`

	Findings *findingsRecord `json:"findings,omitempty"` // of -guard
}

type groupRecord struct {
	Name     string          `json:"name"`
	Stays    bool            `json:"stays,omitempty"`
	Before   rowRecord       `json:"before"`
	After    rowRecord       `json:"after"`
	Pictures []pictureRecord `json:"pictures"`

	words bool // the captions ask for what the control is about
}

type rowRecord struct {
	Pictures int    `json:"pictures"`
	P        []Stat `json:"p"` // per question; the first is what is asked for
	Gauges   []Stat `json:"gauges"`
	Variety  Number `json:"variety"`
}

type pictureRecord struct {
	Prompt string   `json:"prompt"`
	Seed   int64    `json:"seed"`
	Weight float64  `json:"weight"`
	P      []Number `json:"p"`
	Gauges []Number `json:"gauges"`
}

func newControlRecord(name string, t dualprocess.Task) *controlRecord {
	r := &controlRecord{Name: name, Suspected: []string{}, Suffered: []string{}, Task: taskRecord{
		Prompts: t.Prompts, Rank: t.Adapter.Rank, Weight: Number(t.Weight), LearningRate: Number(t.LearningRate),
		Updates: t.Updates, Batch: t.Batch, Drift: Number(t.Drift), Preserve: t.Preserve.Prompts,
		PreserveWeight: Number(t.Preserve.Weight), StopAt: Number(t.StopAt.P), Seed: t.Seed,
		FirstStep: t.FirstStep, EndStep: t.EndStep, WarmUp: t.WarmUp, Decay: t.Decay,
	}}
	for _, q := range t.Questions {
		r.Task.Questions = append(r.Task.Questions, q.Prompt()+" → "+q.Answer)
	}
	return r
}

func newUpdateRecord(u dualprocess.Update) updateRecord {
	return updateRecord{
		Number: u.Number, Loss: Number(u.Loss), P: Number(u.MeanP), Step: u.Step, GradientNorm: Number(u.GradientNorm),
		Drift: Number(u.Drift), Preserved: Number(u.Preserved), LearningRate: Number(u.LearningRate),
		Skipped: u.Skipped, Seconds: Number(u.Elapsed.Seconds()), Findings: newFindingsRecord(u.Findings),
	}
}

// write writes the file of all numbers so far; whole or not at all.
func (r *Run) write() error {
	r.record.Seconds = Number(time.Since(r.record.Started).Seconds())
	path := filepath.Join(r.flags.out, r.name+".json")
	data, err := json.MarshalIndent(r.record, "", " ")
	if err == nil {
		err = files.Write(path, func(w io.Writer) error {
			_, err := w.Write(append(data, '\n'))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("show: write the numbers: %w", err)
	}
	return nil
}
