package cost

import (
	"fmt"
	"os"
	"sort"
)

func (p *program) debug(most int64) {
	if os.Getenv("DP_COST") == "" || most < 50<<20 {
		return
	}
	now := int64(0)
	for k, o := range p.ops {
		if o.scratch() {
			now += o.bytes
		}
		if now-o.inPlace(k) == most {
			m := map[string]int64{}
			n := map[string]int{}
			for j, q := range p.ops[:k+1] {
				if q.scratch() && q.last >= k && j <= k {
					key := fmt.Sprintf("%s %s", q.node.Type(), q.node.Shape())
					m[key] += q.bytes
					n[key]++
				}
			}
			var keys []string
			for key := range m {
				keys = append(keys, key)
			}
			sort.Slice(keys, func(a, b int) bool { return m[keys[a]] > m[keys[b]] })
			fmt.Printf("PEAK %.1f MiB at %d of %d: %s\n", float64(most)/(1<<20), k, len(p.ops), o.node)
			for i, key := range keys {
				if i < 30 {
					fmt.Printf("  %8.2f %3d %s\n", float64(m[key])/(1<<20), n[key], key)
				}
			}
			return
		}
		for _, done := range p.ops[:k+1] {
			if done.scratch() && done.last == k {
				now -= done.bytes
			}
		}
	}
}
