// Package edit measures how alike two names are, for errors that suggest what the writer of a misspelt one meant.
package edit

// Distance counts the characters to insert, delete or replace, and the neighbours to swap, that turn a into b.
func Distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	above, row, next := make([]int, len(to)+1), make([]int, len(to)+1), make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range from {
		next[0] = i + 1
		for j, s := range to {
			cost := 1
			if r == s {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && r == to[j-1] && from[i-1] == s {
				next[j+1] = min(next[j+1], above[j-1]+1)
			}
		}
		above, row, next = row, next, above
	}
	return row[len(to)]
}
