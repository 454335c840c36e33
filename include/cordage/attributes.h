/* cordage/attributes.h - how the public prototypes are marked. Nothing here is for programs to use. */
#ifndef CORDAGE_ATTRIBUTES_H
#define CORDAGE_ATTRIBUTES_H

#define CORD_API __attribute__((visibility("default")))
#define CORD_MUST_CHECK __attribute__((warn_unused_result))
#define CORD_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))

#ifdef __cplusplus
#define CORD_BEGIN extern "C" {
#define CORD_END }
#else
#define CORD_BEGIN
#define CORD_END
#endif

#endif
