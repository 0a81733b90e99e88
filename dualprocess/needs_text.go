package dualprocess

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// String tells it all, in lines for people.
func (n *Needs) String() string {
	var b strings.Builder
	n.table(&b, fmt.Sprintf("adapter\t%s\t\nmoments\t%s\t\n", size(n.Adapter), size(n.Moments)))
	fmt.Fprintf(&b, "An update works in %s where activations are kept, in %s where they are computed again.\n", size(n.Kept), size(n.Recomputed))
	fmt.Fprintf(&b, "It takes %.3g TFLOP.\n", n.Operations/1e12)
	b.WriteString(n.verdict())
	if n.Verifier != nil {
		b.WriteString("\nOn the verifier's own device:\n")
		n.Verifier.table(&b, "")
		b.WriteString(n.Verifier.verdict())
	}
	return b.String()
}

// table has the weights, more lines, and the phases.
func (n *Needs) table(b *strings.Builder, more string) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "weights\t\t")
	for _, p := range n.Weights {
		fmt.Fprintf(w, "%s\t%s\t\n", p.Name, size(p.Bytes))
	}
	fmt.Fprint(w, more)
	fmt.Fprintln(w, "\tlies there\tworks in\tat once\t")
	for _, p := range n.Phases {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", p.Phase, size(p.Resident), size(p.Working), size(p.Peak()))
	}
	_ = w.Flush() // a Builder never fails
}

// verdict says whether it fits, and what helps where it does not.
func (n *Needs) verdict() string {
	switch {
	case n.Memory == 0:
		return fmt.Sprintf("About %s at once are needed; how many there are is not known.\n", size(n.Peak()))
	case n.Peak() <= n.Memory:
		return fmt.Sprintf("About %s at once: it fits in %s.\n", size(n.Peak()), size(n.Memory))
	}
	text := fmt.Sprintf("About %s at once: it does not fit in %s.\n", size(n.Peak()), size(n.Memory))
	for _, s := range n.Switches {
		text += fmt.Sprintf("  %s with %s\n", size(s.Peak), s.Setting)
	}
	return text + "  less with smaller pictures, shorter prompts (TextTokens), fewer questions, or weights of half precision\n"
}

// size prints bytes in the unit that suits them.
func size(bytes int64) string {
	if bytes >= 1<<30 {
		return gibibytes(float64(bytes))
	}
	return fmt.Sprintf("%.3g MiB", float64(bytes)/(1<<20))
}
