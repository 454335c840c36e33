/* What the command says to those who talk, in the user's language: the lines that the Python programs of the notes
 * print, and those of the chat room. Chinese when LC_ALL, LC_MESSAGES or LANG, the first of them that is set, begins
 * with zh; no installed locale is needed. Diagnostics are English always.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *english, *chinese;
} table[WORDS] = {
    [WORD_MESSAGE] = { "message from %s : %s\n", "消息来自%s : %s\n" },
    [WORD_GONE] = { "client disconnected\n", "客户端断开。。。\n" },
    [WORD_ASK_TEXT] = { "text to send:", "请输入要发送的数据:" },
    [WORD_ALONE] = { "you are alone in the room", "聊天室里只有你一个人" },
    [WORD_LONG] = { "that message is longer than %d bytes: UDP members did not get it",
                    "这条消息超过%d字节，UDP成员没有收到" },
    [WORD_TOO_LONG] = { "that message is longer than %d bytes: nobody got it", "这条消息超过%d字节，没有发送" },
    [WORD_FAST] = { "at most %d messages a second: the others were dropped", "每秒最多%d条消息，其余的已丢弃" },
    [WORD_FULL] = { "the room is full: at most %d members", "聊天室已满，最多%d人" },
    [WORD_NAMED] = { "you are now %s", "你现在叫%s" },
};

static bool is_chinese(void)
{
    static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strncmp(value, "zh", 2) == 0;
    }
    return false;
}

const char *words(enum word word)
{
    return is_chinese() ? table[word].chinese : table[word].english;
}
