package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"slices"
	"strconv"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// handler routes the requests.
func (s *studio) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", s.post)
	mux.HandleFunc("GET /jobs/{id}", s.withJob(func(w http.ResponseWriter, _ *http.Request, j *job) {
		r, _ := j.look()
		writeJSON(w, http.StatusOK, r)
	}))
	mux.HandleFunc("GET /jobs/{id}/events", s.withJob(s.events))
	mux.HandleFunc("GET /jobs/{id}/adapter", s.withJob(s.adapter))
	mux.HandleFunc("GET /jobs/{id}/picture", s.withJob(s.picture))
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		s.metrics.write(w, s.queue())
	})
	return http.MaxBytesHandler(mux, s.limits.body)
}

// withJob finds the job of a path.
func (s *studio) withJob(serve func(http.ResponseWriter, *http.Request, *job)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if j := s.find(r.PathValue("id")); j != nil {
			serve(w, r, j)
			return
		}
		fail(w, http.StatusNotFound, errors.New("there is no such job"))
	}
}

// post takes an order: form fields prompt (one or more), question and answer, and a
// file sketch, which may be left out.
func (s *studio) post(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(s.limits.body); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			fail(w, http.StatusRequestEntityTooLarge, fmt.Errorf("a request has at most %d bytes", large.Limit))
			return
		}
		fail(w, http.StatusBadRequest, err)
		return
	}
	o := report{Prompts: r.Form["prompt"], Question: r.FormValue("question"), Answer: r.FormValue("answer")}
	sketch, err := sketchOf(r)
	if err == nil {
		err = s.check(r.Context(), o)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	j, err := s.add(o, sketch)
	switch {
	case errors.Is(err, errBusy):
		w.Header().Set("Retry-After", "60")
		fail(w, http.StatusServiceUnavailable, err)
	case err != nil:
		fail(w, http.StatusInternalServerError, err)
	default:
		w.Header().Set("Location", "/jobs/"+j.report.ID)
		o, _ := j.look()
		writeJSON(w, http.StatusAccepted, o)
	}
}

// sketchOf reads the picture to be laid over; nil is none.
func sketchOf(r *http.Request) (image.Image, error) {
	f, _, err := r.FormFile("sketch")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return overlay.Decode(f)
}

// check finds out at once whether the models understand the words.
func (s *studio) check(ctx context.Context, o report) error {
	if len(o.Prompts) == 0 || slices.Contains(o.Prompts, "") || o.Question == "" || o.Answer == "" {
		return errors.New("prompt, question and answer must be given")
	}
	for _, p := range o.Prompts {
		if _, err := s.basis.Generator.Encode(ctx, p); err != nil {
			return err
		}
	}
	_, err := s.basis.Verifier.Prepare(ctx, dualprocess.Question{Text: o.Question, Answer: o.Answer}, 64, 64)
	return err
}

// events streams what happens to a job until it ends: reports, and the pictures of
// snapshots as data addresses.
func (s *studio) events(w http.ResponseWriter, r *http.Request, j *job) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	for shown := []byte(nil); ; {
		report, changed := j.look()
		writeEvent(w, "report", report)
		if p := report.Preview; len(p) > 0 && !bytes.Equal(p[0], shown) {
			shown = p[0]
			var pictures []string
			for _, picture := range p {
				pictures = append(pictures, "data:image/png;base64,"+base64.StdEncoding.EncodeToString(picture))
			}
			writeEvent(w, "preview", pictures)
		}
		if err := stream.Flush(); err != nil || report.State == "done" || report.State == "failed" {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// writeEvent writes a server-sent event. An error shows at the next Flush.
func writeEvent(w http.ResponseWriter, name string, data any) {
	text, err := json.Marshal(data)
	if err == nil {
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, text)
	}
}

// adapter sends the file.
func (s *studio) adapter(w http.ResponseWriter, r *http.Request, j *job) {
	if j.trained() == nil {
		fail(w, http.StatusConflict, errors.New("the adapter is not trained yet"))
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="adapter.safetensors"`)
	http.ServeFile(w, r, j.path("adapter.safetensors"))
}

// picture makes a picture of a prompt and a seed with the job's adapter.
func (s *studio) picture(w http.ResponseWriter, r *http.Request, j *job) {
	adapter := j.trained()
	if adapter == nil {
		fail(w, http.StatusConflict, errors.New("the adapter is not trained yet"))
		return
	}
	seed, err := strconv.ParseInt(r.FormValue("seed"), 10, 64)
	if err != nil && r.FormValue("seed") != "" {
		fail(w, http.StatusBadRequest, fmt.Errorf("seed: %w", err))
		return
	}
	pictures, err := s.sampler.Sample(r.Context(), dualprocess.Request{Prompt: r.FormValue("prompt"), Seeds: []int64{seed}, Adapter: adapter})
	switch {
	case errors.Is(err, dualprocess.ErrPrompt) || errors.Is(err, dualprocess.ErrTask):
		fail(w, http.StatusBadRequest, err)
		return
	case err != nil:
		fail(w, http.StatusInternalServerError, err)
		return
	}
	data, err := encodePNG(pictures[0])
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	s.metrics.pictures.Add(1)
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(data) // whoever does not listen any more misses nothing
}

func encodePNG(picture image.Image) ([]byte, error) {
	var data bytes.Buffer
	err := png.Encode(&data, picture)
	return data.Bytes(), err
}

func fail(w http.ResponseWriter, code int, err error) {
	writeJSON(w, code, map[string]string{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // as above
}
