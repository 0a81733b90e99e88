package dualprocess

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEveryPromptMeetsEverySeed(t *testing.T) {
	for _, c := range [][2]int{{1, 1}, {3, 6}, {6, 4}, {2, 2}, {5, 7}} {
		prompts, seeds := c[0], c[1]
		task := Task{Prompts: make([]string, prompts)}
		for k := range seeds {
			task.Seeds = append(task.Seeds, int64(k))
		}
		d := newDraws(task)
		pairs := map[[2]int64]int{}
		for range 3 * prompts { // three times round, in batches of all seeds
			s, rows := d.next(seeds)
			for k := range s {
				pairs[[2]int64{s[k], int64(rows[k])}]++
			}
		}
		assert.Len(t, pairs, prompts*seeds, "%v", c)
		for _, n := range pairs {
			assert.Equal(t, 3, n, "%v", c)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	assert.Equal(t, stream(1, "a").Uint64(), stream(1, "a").Uint64())
	assert.NotEqual(t, stream(1, "a").Uint64(), stream(2, "a").Uint64())
	assert.NotEqual(t, stream(1, "a").Uint64(), stream(1, "b").Uint64())
}

func TestLastBatchIsFilledUp(t *testing.T) {
	var sizes, counts []int
	err := eachBatch([]job{{1, 0}, {2, 1}, {3, 0}}, 2, func(seeds []int64, rows []int32, used int) error {
		assert.Len(t, rows, len(seeds))
		sizes, counts = append(sizes, len(seeds)), append(counts, used)
		return nil
	})
	assert.NoError(t, err)
	assert.Equal(t, []int{2, 2}, sizes)
	assert.Equal(t, []int{2, 1}, counts)
}
