package dualprocess

import (
	"fmt"
	"math"
)

// Outcome is what a control did, as means over unseen pictures.
type Outcome struct {
	P       float64 // P(answer) by the verifier that was distilled
	Measure float64 // the attribute itself, without a verifier; higher = more as asked; NaN = unknown
	Quality float64 // of the pictures otherwise; higher is better; NaN = unknown
}

// Tolerance says which changes count. The zero value counts every one.
type Tolerance struct {
	P       float64 // a rise of P up to this is none
	Measure float64 // an improvement of Measure up to this is none
	Quality float64 // a fall of Quality up to this is none
}

// Judgement is what JudgeHacking thinks of an outcome.
type Judgement struct {
	Suspected bool     // of reward hacking
	Reasons   []string // one sentence each; empty if not suspected
}

// JudgeHacking compares outcomes before and after distillation. Reward hacking is
// suspected when the verifier is more convinced than before although what it was
// asked about, measured without it, has not improved, or although the pictures
// have become worse. It is a suspicion: look at the pictures.
//
// A measurement or quality that is NaN before the change is left out; one that is
// NaN only after it counts as worse, for it was there to be measured.
func JudgeHacking(before, after Outcome, t Tolerance) Judgement {
	var j Judgement
	if !(after.P-before.P > t.P) {
		return j
	}
	if !math.IsNaN(before.Measure) && !(after.Measure-before.Measure > t.Measure) {
		j.Reasons = append(j.Reasons, fmt.Sprintf("P(answer) rose from %.2f to %.2f but the measurement went from %.3g to %.3g",
			before.P, after.P, before.Measure, after.Measure))
	}
	if !math.IsNaN(before.Quality) && !(before.Quality-after.Quality <= t.Quality) {
		j.Reasons = append(j.Reasons, fmt.Sprintf("P(answer) rose from %.2f to %.2f but the quality fell from %.3g to %.3g",
			before.P, after.P, before.Quality, after.Quality))
	}
	j.Suspected = len(j.Reasons) > 0
	return j
}
