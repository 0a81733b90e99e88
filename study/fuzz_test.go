package study

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"format":"dualprocess-study-1","name":"x","cells":[{"row":"a","column":"b","value":null,"samples":[{"values":{"v":1e999}}]}]}`))
	f.Add([]byte(`{"format":"dualprocess-study-1","settings":{"a":[1]},"cells":[{"value":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parse(data)
		if err != nil {
			require.ErrorIs(t, err, ErrFolder)
			return
		}
		_, differ := difference(r.Settings, r.Settings)
		require.False(t, differ)
		r.Table.Markdown()
		r.Table.Text()
	})
}

func FuzzLabelled(f *testing.F) {
	f.Add([]byte(`{"image":"a.png","question":"Is it?","answer":"Yes"}` + "\n" + `{"image":"b"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		labelled, err := parseLabelled(bytes.NewReader(data), "folder")
		if err != nil {
			require.ErrorIs(t, err, ErrSettings)
		}
		for _, l := range labelled {
			require.NotEmpty(t, l.Question)
		}
	})
}

// What differs between settings is named by its way through the JSON.
func TestDifference(t *testing.T) {
	name, differ := difference([]byte(`{"setup":{"task":{"Updates":3}}, "b":1}`), []byte(`{"b":1,"setup":{"task":{"Updates":4}}}`))
	require.True(t, differ)
	require.Equal(t, "setup.task.Updates", name)
	_, differ = difference([]byte(`{"a": 1}`), []byte(`{"a":1}`))
	require.False(t, differ)
}
