package sink

import (
	"context"
	"slices"

	"github.com/maypok86/otter/v2"
)

// known remembers, for the views of one partition met lately, which batch
// numbers are stored and what they came to. It forgets views, never single
// numbers: a view it does not know is looked up whole.
type known struct {
	views *otter.Cache[ViewKey, *memory]
}

// memory is what is known of one view.
type memory struct {
	seqs   seqSet
	states [2]ViewState // of what came from people, and with the marks of a bot
}

func (m *memory) state(bot bool) *ViewState {
	if bot {
		return &m.states[1]
	}
	return &m.states[0]
}

// usualView is about what remembering a view takes, in bytes; bareView is what of it
// is not texts: memory, key and their place in the cache.
const (
	usualView = 1 << 10
	bareView  = 720
)

// newKnown remembers so many usual views. Those whose pages and campaigns have long
// names, of which strangers may make up any number, take the place of several.
func newKnown(size int) (*known, error) {
	cache, err := otter.New(&otter.Options[ViewKey, *memory]{MaximumWeight: uint64(size) * usualView, Weigher: weight})
	if err != nil {
		return nil, err
	}
	return &known{views: cache}, nil
}

// weight is about what a view takes in memory, in bytes.
func weight(key ViewKey, m *memory) uint32 {
	n := bareView + len(key.Account) + len(key.Media) + 8*len(m.seqs.runs)
	for i := range m.states {
		s := &m.states[i]
		for _, text := range []string{s.Visitor, s.Identity, s.Page, s.ReferrerHost, s.UTMSource, s.UTMMedium, s.UTMCampaign} {
			n += len(text)
		}
	}
	return uint32(n)
}

// load returns what is known of the views in arrivals, looking up those it does not
// know. The result holds them for the batch, whatever the cache forgets.
func (k *known) load(ctx context.Context, store Store, b Batch, arrivals []arrival) (map[ViewKey]*memory, error) {
	sets := map[ViewKey]*memory{}
	var unknown []ViewKey
	for _, a := range arrivals {
		if a.record.Refused != "" || sets[a.key] != nil {
			continue
		}
		set, ok := k.views.GetIfPresent(a.key)
		if !ok {
			set = &memory{}
			unknown = append(unknown, a.key)
		}
		sets[a.key] = set
	}
	if len(unknown) == 0 {
		return sets, nil
	}
	stored, err := store.Seen(ctx, b, unknown)
	if err != nil {
		return nil, err
	}
	for _, key := range unknown {
		for _, part := range stored[key] {
			for _, seq := range part.Seqs {
				sets[key].seqs.add(seq)
			}
			sets[key].states[min(part.State.Bot, 1)] = part.State
		}
	}
	return sets, nil
}

// keep remembers the sets after their batch is written.
func (k *known) keep(sets map[ViewKey]*memory) {
	for key, set := range sets {
		k.views.Set(key, set)
	}
}

// seqSet is a set of batch numbers as sorted, disjoint, non-adjacent runs: a
// view's numbers are nearly always one run.
type seqSet struct{ runs []seqRun }

type seqRun struct{ lo, hi uint32 } // both included

// add reports whether seq was not in the set.
func (s *seqSet) add(seq uint32) bool {
	i, _ := slices.BinarySearchFunc(s.runs, seq, func(r seqRun, seq uint32) int {
		if r.hi < seq {
			return -1
		}
		return 1
	}) // the first run that ends at seq or later
	if i < len(s.runs) && s.runs[i].lo <= seq {
		return false
	}
	joinsLeft := i > 0 && s.runs[i-1].hi+1 == seq
	joinsRight := i < len(s.runs) && seq+1 == s.runs[i].lo
	switch {
	case joinsLeft && joinsRight:
		s.runs[i-1].hi = s.runs[i].hi
		s.runs = slices.Delete(s.runs, i, i+1)
	case joinsLeft:
		s.runs[i-1].hi = seq
	case joinsRight:
		s.runs[i].lo = seq
	default:
		s.runs = slices.Insert(s.runs, i, seqRun{seq, seq})
	}
	return true
}
