package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/hub"
)

// basis is a short task of the embedded models, on the backend that is everywhere.
func basis(t *testing.T) dualprocess.Task {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	task, err := settings{}.basis(t.Context(), rt, hub.Options{})
	require.NoError(t, err)
	task.Updates, task.Batch, task.WarmUp, task.Decay = 6, 1, 0, 0
	return task
}

// service is a studio over HTTP, with somebody who trains until stop is called.
type service struct {
	*httptest.Server
	studio *studio
	stop   func()
}

func start(t *testing.T, task dualprocess.Task, folder string, trains bool) *service {
	s, err := newStudio(task, folder, limits{body: 1 << 20, waiting: 2, job: time.Minute}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var trainer sync.WaitGroup
	if trains {
		trainer.Go(func() { s.train(ctx) })
	}
	server := httptest.NewServer(s.handler())
	stop := sync.OnceFunc(func() {
		cancel()
		trainer.Wait()
		server.Close()
		s.sampler.Close()
	})
	t.Cleanup(stop)
	return &service{server, s, stop}
}

// red is a sketch: a red line on white.
func red(t *testing.T) []byte {
	sketch := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			sketch.Set(x, y, color.White)
			if y == 19 || y == 20 {
				sketch.Set(x, y, color.NRGBA{R: 255, A: 255})
			}
		}
	}
	var data bytes.Buffer
	require.NoError(t, png.Encode(&data, sketch))
	return data.Bytes()
}

// post sends an order and returns the answer.
func (s *service) post(t *testing.T, sketch []byte, fields map[string]string) (code int, answer map[string]any) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		require.NoError(t, form.WriteField(name, value))
	}
	if sketch != nil {
		file, err := form.CreateFormFile("sketch", "line.png")
		require.NoError(t, err)
		_, err = file.Write(sketch)
		require.NoError(t, err)
	}
	require.NoError(t, form.Close())
	r, err := http.Post(s.URL+"/jobs", form.FormDataContentType(), &body)
	require.NoError(t, err)
	defer r.Body.Close()
	require.NoError(t, json.NewDecoder(r.Body).Decode(&answer))
	return r.StatusCode, answer
}

func (s *service) get(t *testing.T, path string) (code int, body []byte) {
	r, err := http.Get(s.URL + path)
	require.NoError(t, err)
	defer r.Body.Close()
	body, err = io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, body
}

var horizon = map[string]string{"prompt": "a sea at night", "question": "Does the horizon lie on the red line?", "answer": "Yes"}

// follow reads the events of a job until it ends, or until enough says so.
func (s *service) follow(t *testing.T, id string, enough func(report) bool) (reports []report, previews int) {
	r, err := http.Get(s.URL + "/jobs/" + id + "/events")
	require.NoError(t, err)
	defer r.Body.Close()
	require.Equal(t, "text/event-stream", r.Header.Get("Content-Type"))
	event := ""
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, ok := strings.CutPrefix(lines.Text(), "event: ")
		if ok {
			event = name
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case ok && event == "preview":
			require.Contains(t, data, "data:image/png;base64,")
			previews++
		case ok:
			var r report
			require.NoError(t, json.Unmarshal([]byte(data), &r))
			if reports = append(reports, r); enough != nil && enough(r) {
				return reports, previews
			}
		}
	}
	return reports, previews
}

// TestService goes through all that a client does.
func TestService(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	folder := t.TempDir()
	s := start(t, basis(t), folder, true)
	code, answer := s.post(t, red(t), horizon)
	require.Equal(t, http.StatusAccepted, code, answer)
	id := answer["id"].(string)

	reports, previews := s.follow(t, id, nil)
	last := reports[len(reports)-1]
	require.Equal(t, "done", last.State, last.Error)
	require.Equal(t, 6, last.Status.Number)
	require.InDelta(t, .5, last.P, .5)
	require.Positive(t, previews)

	code, adapter := s.get(t, "/jobs/"+id+"/adapter")
	require.Equal(t, http.StatusOK, code)
	kept, err := os.ReadFile(filepath.Join(folder, id, "adapter.safetensors"))
	require.NoError(t, err)
	require.Equal(t, kept, adapter)
	code, picture := s.get(t, "/jobs/"+id+"/picture?prompt=a+meadow+by+day&seed=7")
	require.Equal(t, http.StatusOK, code, string(picture))
	_, err = png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	_, again := s.get(t, "/jobs/"+id+"/picture?prompt=a+meadow+by+day&seed=7")
	require.Equal(t, picture, again)
	code, text := s.get(t, "/jobs/"+id+"/picture?prompt=xyzzy")
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, string(text), "xyzzy")
	_, text = s.get(t, "/metrics")
	require.Contains(t, string(text), "dualprocess_updates_total 6\n")
	require.Contains(t, string(text), "dualprocess_pictures_total 2\n")

	s.stop()
	later := start(t, s.studio.basis, folder, false)
	code, again = later.get(t, "/jobs/"+id+"/picture?prompt=a+meadow+by+day&seed=7")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, picture, again, "another process makes the same picture")
}

// TestRestart stops a service in the middle of a training: the next one finishes it,
// with the adapter that it would have had.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	task, whole, cut := basis(t), t.TempDir(), t.TempDir()
	s := start(t, task, whole, true)
	_, answer := s.post(t, red(t), horizon)
	s.follow(t, answer["id"].(string), nil)
	_, want := s.get(t, "/jobs/"+answer["id"].(string)+"/adapter")
	s.stop()

	s = start(t, task, cut, true)
	_, answer = s.post(t, red(t), horizon)
	id := answer["id"].(string)
	s.follow(t, id, func(r report) bool { return r.Status.Number == 3 })
	s.stop()
	require.NoFileExists(t, filepath.Join(cut, id, "adapter.safetensors"))

	s = start(t, task, cut, true)
	reports, _ := s.follow(t, id, nil)
	require.Equal(t, "done", reports[len(reports)-1].State)
	_, got := s.get(t, "/jobs/"+id+"/adapter")
	require.True(t, bytes.Equal(want, got), "the adapter is another one")
}

func TestLimits(t *testing.T) {
	s := start(t, basis(t), t.TempDir(), false)
	for name, test := range map[string]struct {
		sketch []byte
		change map[string]string
		code   int
		says   string
	}{
		"nothing":         {nil, map[string]string{"prompt": ""}, http.StatusBadRequest, "must be given"},
		"an unknown word": {nil, map[string]string{"prompt": "xyzzy"}, http.StatusBadRequest, "xyzzy"},
		"no question":     {nil, map[string]string{"question": ""}, http.StatusBadRequest, "must be given"},
		"no picture":      {[]byte("not a picture"), nil, http.StatusBadRequest, "overlay"},
		"too large":       {make([]byte, 2<<20), nil, http.StatusRequestEntityTooLarge, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := map[string]string{}
			for k, v := range horizon {
				fields[k] = v
			}
			for k, v := range test.change {
				fields[k] = v
			}
			code, answer := s.post(t, test.sketch, fields)
			require.Equal(t, test.code, code, answer)
			require.Contains(t, answer["error"], test.says)
		})
	}
	for k := range 3 {
		code, answer := s.post(t, nil, horizon)
		if k < 2 {
			require.Equal(t, http.StatusAccepted, code)
			code, _ = s.get(t, "/jobs/"+answer["id"].(string)+"/adapter")
			require.Equal(t, http.StatusConflict, code)
		} else {
			require.Equal(t, http.StatusServiceUnavailable, code, "the queue is full")
		}
	}
	code, _ := s.get(t, "/jobs/..%2f..%2fetc/adapter")
	require.Equal(t, http.StatusNotFound, code)
}
