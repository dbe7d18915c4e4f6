package cli

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// A row of each table. The tags are the columns, of CSV as of Parquet: see heads.
type (
	// readingRow is a reading as it was measured.
	readingRow struct {
		Device      string   `parquet:"device,dict"`
		Name        string   `parquet:"name,dict"`
		Time        int64    `parquet:"time,timestamp(millisecond)"`
		Voltage     *float64 `parquet:"voltage_v,optional"`
		Current     *float64 `parquet:"current_a,optional"`
		Power       *float64 `parquet:"power_w,optional"`
		Energy      *int64   `parquet:"energy_wh,optional"`
		Frequency   *float64 `parquet:"frequency_hz,optional"`
		PowerFactor *float64 `parquet:"pf,optional"`
	}

	// sumRow is what readings add up to; the time is that of its beginning.
	sumRow struct {
		Device         string   `parquet:"device,dict"`
		Name           string   `parquet:"name,dict"`
		Time           int64    `parquet:"time,timestamp(millisecond)"`
		Voltage        *float64 `parquet:"voltage_v,optional"`
		VoltageMin     *float64 `parquet:"voltage_min_v,optional"`
		VoltageMax     *float64 `parquet:"voltage_max_v,optional"`
		Current        *float64 `parquet:"current_a,optional"`
		CurrentMin     *float64 `parquet:"current_min_a,optional"`
		CurrentMax     *float64 `parquet:"current_max_a,optional"`
		Power          *float64 `parquet:"power_w,optional"`
		PowerMin       *float64 `parquet:"power_min_w,optional"`
		PowerMax       *float64 `parquet:"power_max_w,optional"`
		Energy         *int64   `parquet:"energy_wh,optional"`
		Frequency      *float64 `parquet:"frequency_hz,optional"`
		FrequencyMin   *float64 `parquet:"frequency_min_hz,optional"`
		FrequencyMax   *float64 `parquet:"frequency_max_hz,optional"`
		PowerFactor    *float64 `parquet:"pf,optional"`
		PowerFactorMin *float64 `parquet:"pf_min,optional"`
		PowerFactorMax *float64 `parquet:"pf_max,optional"`
		Coverage       *float64 `parquet:"coverage,optional"`
	}

	// energyRow is energy between two instants: absent, and not 0, if nothing is
	// known of it.
	energyRow struct {
		Device   string  `parquet:"device,dict"`
		Name     string  `parquet:"name,dict"`
		From     int64   `parquet:"from,timestamp(millisecond)"`
		To       int64   `parquet:"to,timestamp(millisecond)"`
		Energy   *int64  `parquet:"energy_wh,optional"`
		Quality  string  `parquet:"quality,dict"`
		Missing  int64   `parquet:"missing_s"`
		Cost     *string `parquet:"cost,optional"`
		Currency *string `parquet:"currency,optional,dict"`
	}
)

// row is a row of a table.
type row interface {
	readingRow | sumRow | energyRow
	cells() []string // for CSV
}

func rowOfEnergy(d *device, currency string, n *energyCount) energyRow {
	r := energyRow{
		Device: d.ID, Name: d.Name, From: n.From.UnixMilli(), To: n.To.UnixMilli(),
		Quality: n.Quality, Missing: n.Missing,
	}
	if n.Quality != "absent" {
		r.Energy = &n.Wh
		if n.Cost != "" {
			r.Cost, r.Currency = &n.Cost, &currency
		}
	}
	return r
}

func (r readingRow) cells() []string {
	return append([]string{cell(r.Device), cell(r.Name), utc(r.Time)},
		number(r.Voltage), number(r.Current), number(r.Power), integer(r.Energy), number(r.Frequency), number(r.PowerFactor))
}

func (r sumRow) cells() []string {
	return append([]string{cell(r.Device), cell(r.Name), utc(r.Time)},
		number(r.Voltage), number(r.VoltageMin), number(r.VoltageMax), number(r.Current), number(r.CurrentMin), number(r.CurrentMax),
		number(r.Power), number(r.PowerMin), number(r.PowerMax), integer(r.Energy), number(r.Frequency), number(r.FrequencyMin), number(r.FrequencyMax),
		number(r.PowerFactor), number(r.PowerFactorMin), number(r.PowerFactorMax), number(r.Coverage))
}

func (r energyRow) cells() []string {
	return []string{
		cell(r.Device), cell(r.Name), utc(r.From), utc(r.To), integer(r.Energy), printable(r.Quality), integer(&r.Missing),
		text(r.Cost), text(r.Currency),
	}
}

// utc writes an instant; the offset says that it is UTC.
func utc(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z07:00") }

// number writes a number in the shortest form that is exactly it, as the API
// does.
func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func integer(v *int64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(*v, 10)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return printable(*s)
}

// table takes rows.
type table[R row] interface {
	write(R) error
	end() error
}

func newTable[R row](format string, w io.Writer) table[R] {
	if format == "parquet" {
		return &parquetTable[R]{w: parquet.NewGenericWriter[R](w,
			parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(rowGroup), parquet.CreatedBy("smartmeter", "", ""))}
	}
	return &csvTable[R]{w: newCSV(w)}
}

// rowGroup is how many rows of a Parquet file are in memory before they are
// written.
const rowGroup = 50_000

type csvTable[R row] struct {
	w     csvWriter
	begun bool
}

func (t *csvTable[R]) write(r R) error {
	t.begin()
	t.w.write(r.cells()...)
	return t.w.w.Error()
}

func (t *csvTable[R]) begin() {
	if t.begun {
		return
	}
	t.begun = true
	var heads []string
	for _, f := range parquet.SchemaOf(new(R)).Fields() {
		heads = append(heads, f.Name())
	}
	t.w.write(heads...)
}

func (t *csvTable[R]) end() error {
	t.begin()
	return t.w.flush()
}

type parquetTable[R row] struct {
	w   *parquet.GenericWriter[R]
	one [1]R
}

func (t *parquetTable[R]) write(r R) error {
	t.one[0] = r
	_, err := t.w.Write(t.one[:])
	return err
}

func (t *parquetTable[R]) end() error { return t.w.Close() }

// output is a file that gets its name when it is whole, or the standard output.
type output struct {
	io.Writer
	buffer *bufio.Writer
	file   *os.File // nil for the standard output
	name   string
}

func createOutput(name string, stdout io.Writer) (*output, error) {
	o := &output{name: name}
	var err error
	if name != "" {
		if o.file, err = os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part"); err != nil {
			return nil, err
		}
		stdout = o.file
	}
	o.buffer = bufio.NewWriterSize(stdout, 1<<16)
	o.Writer = o.buffer
	return o, nil
}

// keep gives the file its name.
func (o *output) keep() error {
	if err := o.buffer.Flush(); err != nil || o.file == nil {
		return err
	}
	if err := errors.Join(o.file.Sync(), o.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(o.file.Name(), o.name); err != nil {
		return err
	}
	o.file = nil
	return nil
}

// discard removes what was not kept.
func (o *output) discard() {
	if o.file != nil {
		_ = o.file.Close()
		_ = os.Remove(o.file.Name())
	}
}
