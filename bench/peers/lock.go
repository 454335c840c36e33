// The cases of bench/lock.c by goroutines and sync.Mutex: `lock_go CASE [SECONDS]`; GOMAXPROCS says how many run at a
// time.
package main

import (
	"runtime"
	"sync"
)

func local(count int) {
	var mutex sync.Mutex
	done := 0
	for i := 0; i < count; i++ {
		mutex.Lock()
		done++
		mutex.Unlock()
	}
	check(done == count, "the lock's counter")
}

// As bench/guarded.h has it.
func contended(parties int, yields bool) func(int) {
	return func(count int) {
		var mutex sync.Mutex
		var all sync.WaitGroup
		left, done, state := count, 0, uint64(0)
		contend := func() {
			runtime.Gosched()
			for mine, more := 0, true; more; mine++ {
				mutex.Lock()
				if more = left > 0; more {
					if left--; left == 0 {
						end()
					}
					for i := 0; i < 4; i++ {
						state = state*6364136223846793005 + 1442695040888963407
					}
				} else {
					done += mine
				}
				if yields && mine%8 == 0 {
					runtime.Gosched()
				}
				mutex.Unlock()
			}
			all.Done()
		}
		all.Add(parties)
		for i := 0; i < parties; i++ {
			go contend()
		}
		if runtime.GOMAXPROCS(0) == 1 {
			runtime.Gosched() // all have begun
			begin()
		}
		all.Wait()
		check(left == 0 && done == count, "the lock was held by two at once")
	}
}

func main() {
	measure(map[string]func(int){"local": local, "threads-2": contended(2, false), "threads-4": contended(4, false),
		"coroutines": contended(1000, true)})
}
