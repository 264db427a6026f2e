package dockertest

// Call is a kind of call to the fake.
type Call string

// The calls that can be made to fail.
const (
	CallCreate       Call = "create"
	CallStart        Call = "start"
	CallLook         Call = "look"
	CallWait         Call = "wait"
	CallLogs         Call = "logs"
	CallConfirm      Call = "confirm"
	CallSecrets      Call = "secrets"
	CallResult       Call = "result"
	CallStop         Call = "stop"
	CallRemove       Call = "remove"
	CallOwned        Call = "owned"
	CallMakeVolume   Call = "make volume"
	CallRemoveVolume Call = "remove volume"
	CallList         Call = "list images"
	CallRemoveImage  Call = "remove image"
)

// Fail makes the next call of a kind fail with problem.HostUnreachable: before
// it did anything, as if the request had been lost, or after, as if the reply
// had been. Faults of one kind queue up.
func (f *Fake) Fail(kind Call, after bool) {
	f.change(func() { f.faults[kind] = append(f.faults[kind], after) })
}

// Calm takes back the faults that no call has met.
func (f *Fake) Calm() { f.change(func() { clear(f.faults) }) }

// fault takes the next fault of a kind.
func (f *Fake) fault(kind Call) (before, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue := f.faults[kind]
	if len(queue) == 0 {
		return false, false
	}
	f.faults[kind] = queue[1:]
	return !queue[0], queue[0]
}

// called does a call, unless its fault says that it is lost.
func called[T any](f *Fake, kind Call, do func() (T, error)) (T, error) {
	var none T
	before, after := f.fault(kind)
	if before {
		return none, f.unreachable(string(kind))
	}
	result, err := do()
	if after {
		return none, f.unreachable(string(kind))
	}
	return result, err
}

// calls does a call that gives an error only.
func (f *Fake) calls(kind Call, do func() error) error {
	_, err := called(f, kind, func() (struct{}, error) { return struct{}{}, do() })
	return err
}
