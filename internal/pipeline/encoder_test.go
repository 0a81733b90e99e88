package pipeline

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// scaler is a model whose encoder multiplies a prompt's length by a weight.
type scaler struct {
	encoder *Encoder[string]
	factor  *model.Variable
}

// scalerOptions are its own: parts that it reads besides the encoder, and guidance
// away from "ugly".
type scalerOptions struct {
	parts    []string
	guidance float64
}

var errUnreadable = errors.New("unreadable")

func openScaler(ctx context.Context, p *Opening, o scalerOptions) (*scaler, error) {
	s := &scaler{}
	var err error
	s.encoder, err = NewEncoder(ctx, p, Encoding[string]{
		Weights: []Weights{{Folder: "text_encoder", Read: func(c weights.Cursor) { s.factor = c.Variable("factor", 1, 1) }}},
		Inputs: func(prompt string) ([]any, error) {
			if prompt == "" {
				return nil, errUnreadable
			}
			return []any{Row([]int32{int32(len(prompt))})}, nil
		},
		Graph: func(in []*Node) []*Node {
			return []*Node{Mul(ConvertDType(in[0], s.factor.DType()), s.factor.NodeValue(in[0])), in[0]}
		},
		Shapes:   []shapes.Shape{shapes.Make(dtypes.Float32, 1, 1), shapes.Make(dtypes.Float32, 1, 1)},
		Negative: Negative(o.guidance, "ugly"),
	})
	if err != nil {
		return s, err
	}
	for _, part := range o.parts {
		if err := p.Load(ctx, Weights{Folder: part, Read: func(c weights.Cursor) { c.Variable("factor", 1, 1) }}); err != nil {
			return s, err
		}
	}
	return s, nil
}

// scalerFiles are a folder of the model.
func scalerFiles(t *testing.T) fstest.MapFS {
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, []safetensors.Tensor{safetensors.FromFloat32s("factor", []float32{3}, 1, 1)}, nil))
	file := &fstest.MapFile{Data: b.Bytes()}
	return fstest.MapFS{Index: {Data: []byte(`{}`)}, "text_encoder/model.safetensors": file, "unet/diffusion_pytorch_model.safetensors": file}
}

func TestEncoder(t *testing.T) {
	rt, files := golden.Plain(t), scalerFiles(t)
	s, err := OpenFS(t.Context(), rt, "scaler", files, hf.Reading{}, scalerOptions{parts: []string{"unet"}}, openScaler)
	require.NoError(t, err)
	all := rt.Store.NumVariables()
	encode := func(prompt string) [][][]float32 {
		in, err := s.encoder.Encode(t.Context(), prompt)
		require.NoError(t, err)
		require.Len(t, s.encoder.Conditions(), len(in))
		var values [][][]float32
		for k, x := range in {
			require.True(t, x.Shape().Equal(s.encoder.Conditions()[k]))
			values = append(values, x.Value().([][]float32)) // all are float32
			require.NoError(t, x.FinalizeAll())              // and belong to the caller
		}
		return values
	}
	require.Equal(t, [][][]float32{{{3}}, {{1}}}, encode("a"))
	require.Equal(t, [][][]float32{{{9}}, {{3}}}, encode("abc"))
	require.NoError(t, s.encoder.Release())
	require.NoError(t, s.encoder.Release(), "a second time")
	require.Equal(t, all-1, rt.Store.NumVariables())
	require.Equal(t, [][][]float32{{{9}}, {{3}}}, encode("abc"))
	require.Equal(t, all-1, rt.Store.NumVariables(), "what is remembered needs no weights")
	delete(files, "text_encoder/model.safetensors")
	_, err = s.encoder.Encode(t.Context(), "ab")
	require.ErrorIs(t, err, fs.ErrNotExist)
	files["text_encoder/model.safetensors"] = files["unet/diffusion_pytorch_model.safetensors"]
	require.Equal(t, [][][]float32{{{6}}, {{2}}}, encode("ab"))
	require.Equal(t, all, rt.Store.NumVariables())
}

// TestNegative: under guidance, the conditions of the negative prompt are behind those
// of every prompt.
func TestNegative(t *testing.T) {
	s, err := OpenFS(t.Context(), golden.Plain(t), "scaler", scalerFiles(t), hf.Reading{}, scalerOptions{guidance: 2}, openScaler)
	require.NoError(t, err)
	require.Len(t, s.encoder.Conditions(), 4)
	in, err := s.encoder.Encode(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, in, 4)
	for k, want := range []float32{3, 1, 12, 4} {
		require.Equal(t, [][]float32{{want}}, in[k].Value())
	}
}

func TestEncoderErrors(t *testing.T) {
	s, err := OpenFS(t.Context(), golden.Plain(t), "scaler", scalerFiles(t), hf.Reading{}, scalerOptions{}, openScaler)
	require.NoError(t, err)
	_, err = s.encoder.Encode(t.Context(), "")
	require.ErrorIs(t, err, errUnreadable)
	require.EqualError(t, err, "scaler: unreadable")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.encoder.Encode(ended, "a")
	require.ErrorIs(t, err, context.Canceled)
	var none context.Context
	_, err = s.encoder.Encode(none, "a")
	require.ErrorIs(t, err, dualprocess.ErrTask)
}

// TestOpen fails at different places, each time without leaving anything behind.
func TestOpen(t *testing.T) {
	rt := golden.Plain(t)
	before := rt.Store.NumVariables()
	refused := func(ctx context.Context, rt *backends.Runtime, want error, parts ...string) string {
		s, err := OpenFS(ctx, rt, "scaler", scalerFiles(t), hf.Reading{}, scalerOptions{parts: parts}, openScaler)
		require.ErrorIs(t, err, want)
		require.Nil(t, s)
		return err.Error()
	}
	require.Contains(t, refused(t.Context(), rt, fs.ErrNotExist, "unet", "vae"), "scaler: ")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refused(ended, rt, context.Canceled)
	var none context.Context
	require.Contains(t, refused(none, rt, dualprocess.ErrTask), "Context")
	require.Contains(t, refused(t.Context(), nil, dualprocess.ErrTask), "Runtime")
	_, err := Open(t.Context(), rt, "scaler", "/no/such/folder", hf.Reading{}, scalerOptions{}, openScaler)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "scaler: open /no/such/folder: ")
	require.Equal(t, before, rt.Store.NumVariables())
}
