package study

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// Report is a study's result, and its JSON file.
type Report struct {
	Format   string          `json:"format"`
	Name     string          `json:"name"`
	Title    string          `json:"title"`
	Settings json.RawMessage `json:"settings"` // all that the numbers depend on
	Total    int             `json:"total"`    // cells that there are to be
	Cells    []Result        `json:"cells"`    // that have been measured
	Table    Table           `json:"table"`
	Figure   *Figure         `json:"figure,omitempty"`
}

// Result is a cell that has been measured.
type Result struct {
	Cell
	Measurement
	Seconds Number `json:"seconds"` // that it took
}

// reportFormat is the version of the file.
const reportFormat = "dualprocess-study-1"

// Complete tells whether all cells have been measured.
func (r *Report) Complete() bool { return len(r.Cells) >= r.Total }

// Cell returns the result of a cell.
func (r *Report) Cell(c Cell) (Result, bool) {
	k := slices.IndexFunc(r.Cells, func(result Result) bool { return result.Cell == c })
	if k < 0 {
		return Result{}, false
	}
	return r.Cells[k], true
}

// Where returns the results of a row and a column, in order; "" is any.
func (r *Report) Where(row, column string) []Result {
	var out []Result
	for _, c := range r.Cells {
		if (row == "" || c.Row == row) && (column == "" || c.Column == column) {
			out = append(out, c)
		}
	}
	return out
}

// Read reads the file of a report, as Run wrote it.
func Read(path string) (*Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	r, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("study: %s: %w", path, err)
	}
	return r, nil
}

func parse(data []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	if r.Format != reportFormat {
		return nil, fmt.Errorf("%w: its format is %q, want %q", ErrFolder, r.Format, reportFormat)
	}
	r.Settings = compact(r.Settings)
	return r, nil
}

// open begins a report, or goes on with the one in the folder.
func open(folder string, p Plan) (*Report, error) {
	settings, err := json.Marshal(p.Settings)
	if err != nil {
		return nil, fmt.Errorf("%w: settings: %w", ErrSettings, err)
	}
	fresh := &Report{Format: reportFormat, Name: p.Name, Title: p.Title, Settings: settings, Total: len(p.Cells)}
	data, err := os.ReadFile(filepath.Join(folder, p.Name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(folder, adapters, p.Name)); err == nil {
			return nil, fmt.Errorf("%w: it has adapters of %s and not its report", ErrFolder, p.Name)
		}
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	old, err := parse(data)
	if err != nil {
		return nil, err
	}
	if field, differ := difference(old.Settings, settings); differ {
		return nil, fmt.Errorf("%w: %s differs; take another folder, or remove %s.json, pictures and adapters", ErrFolder, field, p.Name)
	}
	planned := map[Cell]bool{}
	for _, c := range p.Cells {
		planned[c] = true
	}
	for _, c := range old.Cells {
		if !planned[c.Cell] {
			return nil, fmt.Errorf("%w: it has the cell %v", ErrFolder, c.Cell)
		}
	}
	fresh.Cells = old.Cells
	return fresh, nil
}

// difference names the first setting in which two differ.
func difference(a, b json.RawMessage) (string, bool) {
	if bytes.Equal(compact(a), compact(b)) {
		return "", false
	}
	var fields [2]map[string]json.RawMessage
	if json.Unmarshal(a, &fields[0]) != nil || json.Unmarshal(b, &fields[1]) != nil {
		return "settings", true
	}
	var names []string
	for _, f := range fields {
		for name := range f {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if deeper, differ := difference(fields[0][name], fields[1][name]); differ {
			return strings.TrimSuffix(name+"."+deeper, ".settings"), true
		}
	}
	return "", false
}

func compact(data json.RawMessage) []byte {
	var out bytes.Buffer
	if json.Compact(&out, data) != nil {
		return data
	}
	return out.Bytes()
}

// write makes the table and writes all files of the report, each whole or not at all.
func (r *Report) write(s Study, folder string, b Bootstrap) error {
	r.Table, r.Figure = s.Summarize(r, b)
	r.Table.Title = r.Title
	if left := r.Total - len(r.Cells); left > 0 {
		r.Table.Notes = append(r.Table.Notes, fmt.Sprintf("not finished: %d of %d cells are missing", left, r.Total))
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		extension string
		text      []byte
	}{{".json", append(data, '\n')}, {".md", []byte(r.Table.Markdown())}, {".txt", []byte(r.Table.Text())}} {
		err := files.Write(filepath.Join(folder, r.Name+f.extension), func(w io.Writer) error {
			_, err := w.Write(f.text)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
