# cmake -D INPUT=file -D OUTPUT=file.c -D HEADER=... -D NAME=symbol -P EmbedFile.cmake
# writes the bytes of INPUT as `const unsigned char NAME[]` and their number as
# `const size_t NAME_len`, as HEADER declares them.
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR len "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(.....................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\nconst size_t ${NAME}_len = ${len};\nconst unsigned char ${NAME}[] = {\n${bytes}\n};\n")
