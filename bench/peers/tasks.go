// The cases of bench/tasks.c by goroutines, on one CPU: `tasks_go CASE [SECONDS]`. "crowd-cond": by a condition, not by
// a closed channel.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

func yield(count int) {
	var all sync.WaitGroup
	many := func() {
		for i := 0; i < count/2; i++ {
			runtime.Gosched()
		}
		all.Done()
	}
	all.Add(2)
	go many()
	go many()
	all.Wait()
}

func start(count int) {
	var one sync.WaitGroup
	for i := 0; i < count; i++ {
		one.Add(1)
		go one.Done()
		one.Wait()
	}
}

func event(count int) { pingPong(count, 0) }

func queue(count int) { pingPong(count, 1) }

func pingPong(count, capacity int) {
	there, back := make(chan int, capacity), make(chan int, capacity)
	go func() {
		for item := range there {
			back <- item
		}
	}()
	for i := 0; i < count/2; i++ {
		there <- i
		<-back
	}
	close(there)
}

// A crowd that a closed channel lets go; the next one is made before.
func crowdByClose(count int) {
	var gates [2]chan bool
	gates[0] = make(chan bool)
	crowd(count, func(i int) { <-gates[i%2] }, func(i int) {
		gates[(i+1)%2] = make(chan bool)
		close(gates[i%2])
	})
}

func crowdByCond(count int) {
	var mutex sync.Mutex
	opened, changed := 0, sync.NewCond(&mutex)
	crowd(count, func(i int) {
		mutex.Lock()
		for opened <= i {
			changed.Wait()
		}
		mutex.Unlock()
	}, func(i int) {
		mutex.Lock()
		opened = i + 1
		mutex.Unlock()
		changed.Broadcast()
	})
}

const members = 1000

// In each round set lets all members go on, which wait for it.
func crowd(count int, wait, set func(int)) {
	var all sync.WaitGroup
	rounds, ran := (count+members-1)/members, int64(0)
	all.Add(members)
	for i := 0; i < members; i++ {
		go func() {
			for i := 0; i < rounds; i++ {
				wait(i)
				atomic.AddInt64(&ran, 1)
			}
			all.Done()
		}()
	}
	runtime.Gosched()
	begin()
	for i := 0; i < rounds; i++ {
		set(i)
		for atomic.LoadInt64(&ran) < int64(members*(i+1)) {
			runtime.Gosched()
		}
	}
	end()
	all.Wait()
	check(ran == int64(members*rounds), "a wake-up was lost")
}

func main() {
	runtime.GOMAXPROCS(1)
	measure(map[string]func(int){"yield": yield, "start": start, "event": event, "queue": queue, "crowd": crowdByClose,
		"crowd-cond": crowdByCond})
}
