package dualprocess

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// ratingLog keeps an evaluation's ratings in a folder as they come: a file that says
// whose they are, one line per rating, and the pictures. A rating counts once its
// line is complete; its picture has been written by then.
type ratingLog struct {
	folder string
	lines  *os.File
	made   []Rating // of the process before, that have not been taken
	ends   []int64  // of their lines
	taken  int64    // end of the last line taken
}

// The files of the folder.
const (
	ratingsIdentity = "evaluation.json"
	ratingsLines    = "ratings.jsonl"
	ratingsPicture  = "picture-%06d.png"
)

// ratingsFormat is the version of the files.
const ratingsFormat = "dualprocess-evaluation-1"

// ratingsHead is the file that says whose ratings they are.
type ratingsHead struct {
	Format     string   `json:"format"`
	Evaluation identity `json:"evaluation"`
}

// ratingLine is one rating in the file of lines.
type ratingLine struct {
	Prompt string     `json:"prompt"`
	Seed   int64      `json:"seed"`
	Weight float64    `json:"weight"`
	P      []*float64 `json:"p"` // null = NaN
}

// openRatings opens the folder of an evaluation, which is made if there is none.
func openRatings(folder string, id identity) (l *ratingLog, err error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	if err := claim(filepath.Join(folder, ratingsIdentity), id); err != nil {
		return nil, err
	}
	l = &ratingLog{folder: folder}
	if l.lines, err = os.OpenFile(filepath.Join(folder, ratingsLines), os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if err := l.read(); err != nil {
		return nil, errors.Join(err, l.lines.Close())
	}
	return l, nil
}

// claim writes whose ratings the folder has, or compares.
func claim(path string, id identity) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return files.Write(path, func(w io.Writer) error {
			return json.NewEncoder(w).Encode(ratingsHead{ratingsFormat, id})
		})
	}
	if err != nil {
		return err
	}
	var head ratingsHead
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCheckpoint, path, err)
	}
	if head.Format != ratingsFormat {
		return fmt.Errorf("%w: %s: its format is %q, want %q", ErrCheckpoint, path, head.Format, ratingsFormat)
	}
	return id.differs(head.Evaluation)
}

// read reads the ratings that are complete, and cuts off what comes behind them.
func (l *ratingLog) read() (err error) {
	data, err := io.ReadAll(l.lines)
	if err != nil {
		return err
	}
	end := int64(0)
	defer func() { err = cmp.Or(err, l.cut(end)) }()
	for lines := bufio.NewReader(bytes.NewReader(data)); ; {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			break // the end, or a line that was not finished
		}
		r, err := l.rating(text)
		if err != nil {
			break // it is made again, and all behind it
		}
		end += int64(len(text))
		l.made, l.ends = append(l.made, r), append(l.ends, end)
	}
	return nil
}

// cut drops what is behind an end.
func (l *ratingLog) cut(end int64) error {
	if err := l.lines.Truncate(end); err != nil {
		return err
	}
	_, err := l.lines.Seek(end, io.SeekStart)
	return err
}

// rating reads the rating of a line.
func (l *ratingLog) rating(text []byte) (r Rating, err error) {
	var line ratingLine
	if err := json.Unmarshal(text, &line); err != nil {
		return r, err
	}
	r = Rating{Prompt: line.Prompt, Seed: line.Seed, Weight: line.Weight}
	for _, p := range line.P {
		if p == nil {
			r.P = append(r.P, math.NaN())
		} else {
			r.P = append(r.P, *p)
		}
	}
	f, err := os.Open(l.picture(len(l.made)))
	if err != nil {
		return r, err
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		return r, err
	}
	img, ok := picture.(*image.NRGBA)
	if opaque, also := picture.(*image.RGBA); also {
		img, ok = &image.NRGBA{Pix: opaque.Pix, Stride: opaque.Stride, Rect: opaque.Rect}, true
	}
	if !ok {
		return r, fmt.Errorf("%T is not what was written", picture)
	}
	r.Image = img
	return r, nil
}

// picture is the file of picture k.
func (l *ratingLog) picture(k int) string {
	return filepath.Join(l.folder, fmt.Sprintf(ratingsPicture, k))
}

// add keeps the ratings behind the first so many.
func (l *ratingLog) add(first int, ratings ...Rating) error {
	if l == nil {
		return nil
	}
	var text bytes.Buffer
	for k, r := range ratings {
		line := ratingLine{Prompt: r.Prompt, Seed: r.Seed, Weight: r.Weight}
		for _, p := range r.P {
			if math.IsNaN(p) {
				line.P = append(line.P, nil)
			} else {
				line.P = append(line.P, &p)
			}
		}
		if err := json.NewEncoder(&text).Encode(line); err != nil {
			return err
		}
		err := files.Write(l.picture(first+k), func(w io.Writer) error { return png.Encode(w, r.Image) })
		if err != nil {
			return err
		}
	}
	if _, err := l.lines.Write(text.Bytes()); err != nil {
		return err
	}
	return l.lines.Sync()
}

// take returns the next ratings of the process before, a batch. One that is not
// complete is dropped.
func (l *ratingLog) take(n int) ([]Rating, error) {
	if l == nil || len(l.made) == 0 {
		return nil, nil
	}
	if len(l.made) < n {
		l.made = nil
		return nil, l.cut(l.taken)
	}
	batch := l.made[:n:n]
	l.taken, l.made, l.ends = l.ends[n-1], l.made[n:], l.ends[n:]
	return batch, nil
}

func (l *ratingLog) close() error {
	if l == nil {
		return nil
	}
	return l.lines.Close()
}
