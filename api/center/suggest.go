package center

import "strings"

// maxListed bounds how many names a suggestion lists.
const maxListed = 30

// suggest ends a message about a name that is not known: the nearest one that
// is, or all of them.
func suggest(name string, known []string) string {
	best, distance := "", len(name)/3+2
	for _, k := range known {
		if d := edits(name, k); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return "; did you mean " + best + "?"
	case len(known) == 0:
		return ""
	}
	return "; possible: " + strings.Join(known[:min(len(known), maxListed)], ", ")
}

// maxEdited bounds what edits looks at: no field has a longer name.
const maxEdited = 64

// edits is the Levenshtein distance of two short names.
func edits(a, b string) int {
	if len(a) > maxEdited || len(b) > maxEdited {
		return maxEdited
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := corner
			if a[i] != b[j] {
				replace++
			}
			corner = row[j+1]
			row[j+1] = min(replace, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}
