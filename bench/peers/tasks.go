// The cases of bench/tasks.c by goroutines, on one CPU (GOMAXPROCS=1): `tasks_go CASE [SECONDS]`.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

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

func main() {
	cases := map[string]func(int){"yield": yield, "start": start, "event": event, "queue": queue}
	seconds := 0.2
	if len(os.Args) < 2 || cases[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: tasks_go yield|start|event|queue [SECONDS]")
		os.Exit(2)
	}
	if len(os.Args) > 2 {
		seconds, _ = strconv.ParseFloat(os.Args[2], 64)
	}
	runtime.GOMAXPROCS(1)
	for count := 100; ; count *= 4 {
		begin := cpu()
		cases[os.Args[1]](count)
		used := cpu() - begin
		if used > seconds*float64(time.Second)/2 {
			fmt.Printf("{\"case\": \"%s\", \"ns\": %.2f}\n", os.Args[1], used/float64(count))
			return
		}
	}
}
