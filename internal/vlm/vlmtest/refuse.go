package vlmtest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Damage is a way to spoil the folder of a checkpoint, and the error that opening
// it gives: what it is, if that is known, and what it names. Like the other rows of
// tables here it is an alias, so that vet lets tables leave the names of fields out.
type Damage = struct {
	Spoil Change
	Want  error
	Names string
}

// TestRefuses spoils the folder in one way at a time, and then asks for what cannot
// be: nothing stays in the runtime's store. Weights and tokenizer are spoilt for all
// models alike.
func (c Checkpoint) TestRefuses(t *testing.T, rt *backends.Runtime, damages map[string]Damage) {
	before := rt.Store.NumVariables()
	refused := func(t *testing.T, ctx context.Context, files fs.FS, o vlm.Options, want error, names string) {
		_, err := c.Open.FS(ctx, rt, c.Name, files, o)
		require.ErrorContains(t, err, names)
		if want != nil {
			require.ErrorIs(t, err, want)
		}
		require.Equal(t, before, rt.Store.NumVariables(), "nothing stays behind")
	}
	maps.Copy(damages, c.commonDamages(t))
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			files := Files(t, c.Name)
			damage.Spoil(t, files)
			refused(t, t.Context(), files, vlm.Options{}, damage.Want, damage.Names)
		})
	}
	t.Run("options", func(t *testing.T) {
		refused(t, t.Context(), Files(t, c.Name), vlm.Options{Checkpoint: 7}, vlm.ErrOptions, "Checkpoint")
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		refused(t, ctx, Files(t, c.Name), vlm.Options{}, context.Canceled, "")
	})
}

// commonDamages are those that no model can do with.
func (c Checkpoint) commonDamages(t *testing.T) map[string]Damage {
	const tokens = "tokenizer.json"
	weights := ""
	for name := range Files(t, c.Name) {
		if strings.HasSuffix(name, ".safetensors") {
			weights = name
		}
	}
	require.NotEmpty(t, weights)
	return map[string]Damage{
		"no weights":        {Without(weights), fs.ErrNotExist, weights},
		"truncated weights": {Cut(weights), safetensors.ErrFormat, weights},
		"no tokenizer":      {Without(tokens, "tokenizer.model", "vocab.json", "merges.txt"), fs.ErrNotExist, "tokenizer"},
		"damaged tokenizer": {Is(tokens, "{"), tokenizer.ErrFormat, tokens},
	}
}

// Field is a value that a configuration may not have.
type Field = struct {
	File, Path string // see Set
	Value      any
}

// TestFields puts one value at a time into the files of a configuration. The error
// of reading them names the file and the field and is want; nil is any.
func TestFields[C any](t *testing.T, sound fstest.MapFS, read func(fsys fs.FS) (C, error), want error, fields []Field) {
	for _, field := range fields {
		t.Run(fmt.Sprint(field.File, " ", field.Path, " ", field.Value), func(t *testing.T) {
			files := maps.Clone(sound)
			Set(t, files, field.File, field.Path, field.Value)
			_, err := read(files)
			require.ErrorContains(t, err, field.Path[strings.LastIndexByte(field.Path, '.')+1:])
			require.ErrorContains(t, err, field.File)
			if want != nil {
				require.ErrorIs(t, err, want)
			}
		})
	}
}

// TestFiles leaves out one file at a time that a configuration cannot do without.
func TestFiles[C any](t *testing.T, sound fstest.MapFS, read func(fsys fs.FS) (C, error), names ...string) {
	for _, name := range names {
		files := maps.Clone(sound)
		delete(files, name)
		_, err := read(files)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, name)
	}
}

// TestQuestions asks what cannot be asked.
func TestQuestions(t *testing.T, v *vlm.Verifier) {
	for _, q := range []dualprocess.Question{
		{Answer: "Yes"}, {Text: " ", Answer: "Yes"}, {Text: "\n", Answer: "Yes"}, {Text: "\xff", Answer: "Yes"},
		{Text: "Is it?"}, {Text: "Is it?", Answer: " "}, {Text: "Is it?", Answer: "\xff"},
	} {
		_, err := v.Prepare(t.Context(), q, 75, 75)
		require.ErrorIs(t, err, vlm.ErrQuestion, "%+q", q)
	}
}

// TestPictures asks about pictures of sizes that the model looks at, and of others.
func TestPictures(t *testing.T, v *vlm.Verifier, sizes map[vision.Size]bool) {
	for size, seen := range sizes {
		_, err := v.Prepare(t.Context(), dualprocess.Question{Text: "Is it?", Answer: "Yes"}, size.Height, size.Width)
		if seen {
			require.NoError(t, err, size)
		} else {
			require.ErrorIs(t, err, vlm.ErrPictureSize, size)
		}
	}
}
