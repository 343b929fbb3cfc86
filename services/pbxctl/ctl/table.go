package ctl

import (
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// canvas is where something is drawn for a person to read.
type canvas struct {
	io.Writer
	palette
	columns int // of the terminal; 0 when there is none
}

// canvas writes to a buffer of the command's stdout.
func (a *app) canvas(cmd *cobra.Command, out io.Writer) canvas {
	return canvas{out, a.palette(cmd.OutOrStdout()), a.Columns(cmd.OutOrStdout())}
}

// heading writes a line above a table, and an empty one above that.
func (c canvas) heading(text string) { fmt.Fprintf(c, "\n%s\n", c.paint(bold, clean(text))) }

// field writes a value behind its name; nothing for an empty value.
func (c canvas) field(name, value string) { c.value(name, cell{value, plain}) }

// value is field in a style of its own.
func (c canvas) value(name string, value cell) {
	if value.text != "" {
		fmt.Fprintf(c, "%s%s%s\n", c.paint(bold, fmt.Sprintf("%-12s", name)), gap, c.paint(value.style, clean(value.text)))
	}
}

// warn writes what a person should see to.
func (c canvas) warn(text string) { fmt.Fprintln(c, c.paint(yellow, "warning:"), clean(text)) }

// table is rows below their titles.
type table struct {
	titles  []string
	numbers []int // the columns of numbers, which end below each other
	rows    [][]cell
}

// draw prints a table; nothing without rows. On a terminal, the last column is cut to what is left for it.
func (t table) draw(c canvas) {
	if len(t.rows) == 0 {
		return
	}
	lines, widths := t.layout()
	limit := math.MaxInt
	if c.columns > 0 {
		const least = 20 // on a narrow terminal a line is broken rather
		limit = max(least, c.columns-widths.total())
	}
	for _, line := range lines {
		last := &line[len(line)-1]
		last.text = cut(last.text, limit)
		fmt.Fprintln(c, widths.line(c.palette, line))
	}
}

// layout returns the lines, of which the first has the titles, and how wide their fields are.
func (t table) layout() ([][]cell, columns) {
	head := make([]cell, len(t.titles))
	for i, title := range t.titles {
		head[i] = cell{title, bold}
	}
	lines := [][]cell{head}
	for _, row := range t.rows {
		lines = append(lines, slices.Clone(row))
	}
	for _, i := range t.numbers {
		alignRight(lines, i)
	}
	widths := make(columns, len(t.titles)-1)
	for _, line := range lines {
		widths.fit(line)
	}
	return lines, widths
}

func alignRight(lines [][]cell, column int) {
	width := 0
	for _, line := range lines {
		width = max(width, utf8.RuneCountInString(line[column].text))
	}
	for _, line := range lines {
		line[column].text = fmt.Sprintf("%*s", width, line[column].text)
	}
}

// width is how many columns of a terminal it takes.
func (t table) width() int {
	lines, widths := t.layout()
	last := 0
	for _, line := range lines {
		last = max(last, utf8.RuneCountInString(line[len(line)-1].text))
	}
	return widths.total() + last
}

// beside returns a table with the columns of another one, of the same rows, behind its own. The first column of the other
// one says whose the row is, and is left out.
func (t table) beside(other table) table {
	wide := table{titles: slices.Concat(t.titles, other.titles[1:]), numbers: slices.Clone(t.numbers)}
	for _, i := range other.numbers {
		wide.numbers = append(wide.numbers, len(t.titles)-1+i)
	}
	for i, row := range t.rows {
		wide.rows = append(wide.rows, slices.Concat(row, other.rows[i][1:]))
	}
	return wide
}
