// bench/micro.h for Go: `PROGRAM CASE [SECONDS]` prints the CPU nanoseconds for each, and how many a second.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func check(right bool, what string) {
	if !right {
		fmt.Fprintln(os.Stderr, "wrong:", what)
		os.Exit(1)
	}
}

var marks [2]struct{ cpu, wall float64 } // when the measured part began and ended
var ended bool

func mark(i int) {
	marks[i].cpu, marks[i].wall = cpu(), float64(time.Now().UnixNano())
}

// What came before begin, as the set-up of a crowd, does not count, and what comes after end.
func begin() { mark(0) }

func end() {
	mark(1)
	ended = true
}

func measure(cases map[string]func(int)) {
	seconds := 0.2
	if len(os.Args) < 2 || cases[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM CASE [SECONDS]")
		os.Exit(2)
	}
	if len(os.Args) > 2 {
		seconds, _ = strconv.ParseFloat(os.Args[2], 64)
	}
	for count := 100; ; count *= 4 {
		ended = false
		begin()
		cases[os.Args[1]](count)
		if !ended {
			end()
		}
		used, wall := marks[1].cpu-marks[0].cpu, (marks[1].wall-marks[0].wall)/1e9
		if wall > seconds/2 {
			fmt.Printf("{\"case\": \"%s\", \"ns\": %.2f, \"per_second\": %.1f}\n", os.Args[1], used/float64(count),
				float64(count)/wall)
			return
		}
	}
}
