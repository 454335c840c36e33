// `parked_go COUNT`: so many goroutines that sleep; whoever measures reads the memory.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	line := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	line.ReadString('\n')
	var started int64
	for i := 0; i < count; i++ {
		go func() {
			atomic.AddInt64(&started, 1)
			time.Sleep(time.Hour)
		}()
	}
	for atomic.LoadInt64(&started) < int64(count) {
		runtime.Gosched()
	}
	fmt.Println("parked")
	line.ReadString('\n')
}
