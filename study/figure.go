package study

// Figure is what there is to draw of a study. Package study/figure draws it: it is a
// module of its own, because what it draws with is larger than this library.
type Figure struct {
	Title  string   `json:"title"`
	X      string   `json:"x"` // what the axis says
	Y      string   `json:"y"`
	Names  []string `json:"names,omitempty"` // of the places 0, 1, … along x: bars; empty = lines
	Series []Series `json:"series"`
}

// Series is one line of a figure, or one colour of its bars.
type Series struct {
	Name string     `json:"name"`
	X    []Number   `json:"x,omitempty"` // of lines
	Y    []Interval `json:"y"`
}
