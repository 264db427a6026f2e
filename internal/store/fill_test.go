package store_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// filler sets every field of a value to something of its own, so that a field
// that is not kept, or kept in the place of another, shows.
type filler struct {
	t *testing.T
	n int
}

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.UnixMicro(int64(f.n) * 1e12)))
		return
	case reflect.TypeFor[registry.Pin]():
		v.Set(reflect.ValueOf(pin(f.t, string("0123456789abcdef"[f.n%16]))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text <%04d> ü", f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.n) << 20)
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(uint64(f.n % 256))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() { // the domain keeps its own fields to itself
				f.fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	default:
		f.t.Fatalf("no value for a %s: teach the filler", v.Type())
	}
}

// filled gives a value with every field set.
func filled[T any](t *testing.T) (v T) {
	t.Helper()
	(&filler{t: t}).fill(reflect.ValueOf(&v).Elem())
	return v
}

// same compares what was written with what was read.
func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(samePin), cmp.Comparer(time.Time.Equal), cmpopts.IgnoreUnexported(runner.Run{}, runner.Scope{})); diff != "" {
		t.Errorf("written (-), read (+):\n%s", diff)
	}
}

// The filler leaves nothing empty: a test that rests on it would see nothing.
func TestFillerFills(t *testing.T) {
	t.Parallel()
	type all struct {
		S string
		P *struct{ N int }
		M map[string][]bool
		T time.Time
		D registry.Pin
	}
	v := filled[all](t)
	if v.S == "" || v.P.N == 0 || v.T.IsZero() || v.D.IsZero() || len(v.M) != 1 || !strings.Contains(fmt.Sprint(v.M), "true true") {
		t.Fatalf("got %+v", v)
	}
	if !cmp.Equal(v, filled[all](t), cmpopts.EquateComparable(registry.Pin{})) {
		t.Fatal("not the same twice")
	}
}
