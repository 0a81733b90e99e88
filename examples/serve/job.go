package main

import (
	"encoding/json"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/files"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// report is what is known of a job: what clients are told, and what its folder keeps.
type report struct {
	ID       string   `json:"id"`
	Prompts  []string `json:"prompts"`
	Question string   `json:"question"`
	Answer   string   `json:"answer"`

	State string `json:"state"` // queued, training, done or failed
	Error string `json:"error,omitempty"`

	Status  dualprocess.Status `json:"status"` // of the training
	Loss    float64            `json:"loss"`
	P       float64            `json:"p"` // P(answer)
	Preview [][]byte           `json:"-"` // PNG files of the last snapshot
}

// job is an order under way. Its folder has all that a new process needs: report,
// sketch, the training's checkpoints, and in the end the adapter.
type job struct {
	folder string
	sketch image.Image // nil = none

	mu      sync.Mutex
	report  report
	adapter *lora.Adapter // nil until it is done
	changed chan struct{} // closed at the next change
}

// newJob makes the folder of a job.
func newJob(folder string, r report, sketch image.Image) (*job, error) {
	j := &job{folder: folder, report: r, sketch: sketch, changed: make(chan struct{})}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	if sketch != nil {
		err := files.Write(j.path("sketch.png"), func(w io.Writer) error { return png.Encode(w, sketch) })
		if err != nil {
			return nil, err
		}
	}
	return j, j.write()
}

// openJob reads the folder of a job that an earlier process left.
func openJob(folder string, layers []lora.Layer) (j *job, err error) {
	j = &job{folder: folder, changed: make(chan struct{})}
	data, err := os.ReadFile(j.path("job.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &j.report); err != nil {
		return nil, err
	}
	if _, err := os.Stat(j.path("sketch.png")); err == nil {
		if j.sketch, err = overlay.Open(j.path("sketch.png")); err != nil {
			return nil, err
		}
	}
	if j.report.State == "done" {
		j.adapter, err = lora.Load(j.path("adapter.safetensors"), layers)
	}
	return j, err
}

func (j *job) path(name string) string { return filepath.Join(j.folder, name) }

// write keeps the report.
func (j *job) write() error {
	r, _ := j.look()
	return files.Write(j.path("job.json"), func(w io.Writer) error { return json.NewEncoder(w).Encode(r) })
}

// task is what the job has the library do.
func (j *job) task(basis dualprocess.Task, m *metrics) dualprocess.Task {
	t, r := basis, j.report
	question := dualprocess.Question{Text: r.Question, Answer: r.Answer}
	if j.sketch != nil {
		question.Overlay = overlay.Solid{Picture: j.sketch, Fit: overlay.Contain}
	}
	t.Prompts, t.Questions = r.Prompts, []dualprocess.Question{question}
	t.Checkpoint = dualprocess.Checkpoint{Folder: j.path("checkpoints")}
	t.Status = func(s dualprocess.Status) { j.change(func(r *report) { r.Status = s }) }
	t.Progress = func(u dualprocess.Update) {
		m.update(u)
		if !u.Skipped { // else they may be no numbers
			j.change(func(r *report) { r.Loss, r.P = u.Loss, u.MeanP })
		}
	}
	t.Snapshots = dualprocess.Snapshots{Seeds: []int64{1 << 40, 1<<40 + 1}, Do: func(s *dualprocess.Snapshot) error {
		var pictures [][]byte
		for _, rating := range s.Ratings {
			picture, err := encodePNG(rating.Image)
			if err != nil {
				return err
			}
			pictures = append(pictures, picture)
		}
		j.change(func(r *report) { r.Preview = pictures })
		return nil
	}}
	return t
}

// finish keeps the adapter, or why there is none.
func (j *job) finish(a *lora.Adapter, err error) error {
	if err == nil {
		err = a.Save(j.path("adapter.safetensors"), lora.SaveOptions{})
	}
	if err == nil {
		j.mu.Lock()
		j.adapter = a
		j.mu.Unlock()
		j.change(func(r *report) { r.State = "done" })
	} else {
		j.change(func(r *report) { r.State, r.Error = "failed", err.Error() })
	}
	return j.write()
}

// change changes the report, and wakes those who watch.
func (j *job) change(how func(r *report)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	how(&j.report)
	close(j.changed)
	j.changed = make(chan struct{})
}

// look returns the report, and a channel that is closed when it changes.
func (j *job) look() (r report, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.report, j.changed
}

// trained returns the adapter, nil before it is done.
func (j *job) trained() *lora.Adapter {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.adapter
}
