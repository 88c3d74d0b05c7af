package postgres

// book is the rows of one table a batch works on: loaded once, changed in
// memory, written once, in the order in which they were first touched.
type book[K comparable, R any] struct {
	rows    map[K]*R
	touched map[K]bool
	order   []K
}

func newBook[K comparable, R any]() book[K, R] {
	return book[K, R]{rows: make(map[K]*R), touched: make(map[K]bool)}
}

// add takes in a row as it is stored.
func (b *book[K, R]) add(key K, row R) { b.rows[key] = &row }

// edit returns the row to be changed, nil when there is none.
func (b *book[K, R]) edit(key K) *R {
	row := b.rows[key]
	if row != nil && !b.touched[key] {
		b.touched[key] = true
		b.order = append(b.order, key)
	}
	return row
}

// insert takes in a new row.
func (b *book[K, R]) insert(key K, row R) {
	b.add(key, row)
	b.edit(key)
}

// changed is what must be written.
func (b *book[K, R]) changed() []*R {
	out := make([]*R, len(b.order))
	for i, key := range b.order {
		out[i] = b.rows[key]
	}
	return out
}
