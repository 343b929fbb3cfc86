package call

import (
	"container/heap"
	"time"
)

// deadlines are calls by when they must be looked at, the next first. A deadline is put off at almost every event, so that
// is noticed only when the old one is reached.
type deadlines []*tracked

// set sets when a call is due.
func (d *deadlines) set(c *tracked, due time.Time) {
	c.due = due
	switch {
	case c.index < 0:
		c.queued = due
		heap.Push(d, c)
	case due.Before(c.queued):
		c.queued = due
		heap.Fix(d, c.index)
	}
}

// next returns a call that is due, or nil.
func (d *deadlines) next(now time.Time) *tracked {
	for len(*d) > 0 {
		c := (*d)[0]
		switch {
		case c.queued.After(now):
			return nil
		case !c.due.After(now):
			return c
		}
		c.queued = c.due
		heap.Fix(d, 0)
	}
	return nil
}

func (d *deadlines) remove(c *tracked) { heap.Remove(d, c.index) }

// Len implements heap.Interface.
func (d deadlines) Len() int { return len(d) }

// Less implements heap.Interface.
func (d deadlines) Less(i, j int) bool { return d[i].queued.Before(d[j].queued) }

// Swap implements heap.Interface.
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	c := x.(*tracked)
	c.index = len(*d)
	*d = append(*d, c)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	old := *d
	c := old[len(old)-1]
	old[len(old)-1] = nil
	c.index = -1
	*d = old[:len(old)-1]
	return c
}
