package bft

import (
	"flag"
	"testing"
	"time"
)

var (
	simSeed = flag.Uint64("seed", 0, "replay one seed of the simulation")
)

// TestSimulation runs a few hundred seeds: a storm of losses, crashes, partitions and lies, then calm, in which all that
// was acknowledged must commit everywhere.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		newSim(t, *simSeed).run()
		return
	}
	for seed := uint64(1); seed <= simSeeds; seed++ {
		newSim(t, seed).run()
	}
}

func (s *sim) run() {
	const storm, calm = 8 * time.Second, 60 * time.Second
	var load func()
	load = func() {
		s.submit()
		if s.now < simStart+LedgerTime(storm) {
			s.after(time.Duration(s.rng.IntN(300))*time.Millisecond, load)
		}
	}
	load()
	var weather func()
	weather = func() {
		if s.now > simStart+LedgerTime(storm) || s.loss == 0 {
			return
		}
		s.split = !s.split && s.rng.IntN(2) == 0
		for _, x := range s.nodes {
			x.side = s.rng.IntN(2)
		}
		s.cut = map[[2]int]bool{}
		for range s.rng.IntN(3) {
			s.cut[[2]int{s.rng.IntN(s.com.Size()), s.rng.IntN(s.com.Size())}] = true
		}
		// One replica decides, or prepares, what the others only know of: what a view change must not lose.
		s.mutePhase, s.muteBut = 0, s.rng.IntN(s.com.Size())
		if s.rng.IntN(2) == 0 {
			s.split, s.mutePhase = false, Phase(1+s.rng.IntN(2))
		}
		if s.rng.IntN(3) == 0 { // the power fails, for some or for all
			most := s.rng.IntN(len(s.nodes)) + 1
			for _, i := range s.rng.Perm(len(s.nodes))[:most] {
				if x := s.nodes[i]; x.up && !x.twin {
					s.crash(x)
				}
			}
		}
		s.after(time.Duration(s.rng.IntN(2000))*time.Millisecond, weather)
	}
	weather()
	if s.forger >= 0 {
		s.forge(simStart + LedgerTime(storm))
	}
	s.until(simStart+LedgerTime(storm), nil)
	s.split, s.loss, s.mutePhase = false, 0, 0
	s.maxDelay = min(s.maxDelay, 50*time.Millisecond)
	for _, x := range s.nodes {
		if !x.up && x.index != s.forger {
			s.start(x)
		}
	}
	s.until(simStart+LedgerTime(storm+calm), s.settled)
	if !s.settled() {
		for _, x := range s.nodes {
			if x.up {
				p := x.core.Progress()
				s.t.Logf("node %s: view %d changing %v head %d executed %d highest %d", x.name, p.View, p.Changing, p.Head.Sequence, p.Executed, p.Highest)
			}
		}
		s.fail("something acknowledged is not executed by all a minute after the network healed: %d transactions, %d cuts", s.txs, len(s.decided))
	}
}

// settled says that every honest replica has executed everything that honest workers acknowledged.
func (s *sim) settled() bool {
	honest := 0
	for _, x := range s.nodes {
		if !x.twin && x.index != s.forger {
			honest++
		}
	}
	for _, n := range s.wanted {
		if n < honest {
			return false
		}
	}
	return true
}

func (s *sim) until(end LedgerTime, done func() bool) {
	for len(s.queue) > 0 && s.queue[len(s.queue)-1].at <= end {
		e := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		s.now = e.at
		s.steps++
		e.what()
		if done != nil && s.steps%64 == 0 && done() {
			return
		}
	}
	s.now = end
}
