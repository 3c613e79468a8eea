# embed.awk: reads names of files, one a line, and writes the C file that carries them all (embedded.h says how they are found).

BEGIN {
    print "/* Made by interp/cmd/embed.awk. */"
    print "#include \"cmd/embedded.h\"\n"
    # The section is put back afterwards: the compiler does not know that it was left.
    print "#define FILE_DATA(n, path)                                                                                        \\"
    print "    __asm__(\".pushsection .rodata\\nembedded_\" #n \":\\n.incbin \\\"\" path \"\\\"\\n\"                              \\"
    print "            \"embedded_\" #n \"_end:\\n.byte 0\\n.popsection\\n\");                                                   \\"
    print "    extern const unsigned char embedded_##n[], embedded_##n##_end[] __attribute__((visibility(\"hidden\")))\n"
}

/^$/ { next }

!/^[A-Za-z0-9_][A-Za-z0-9_.\/-]*$/ {
    print "embed.awk: a name that cannot be embedded: " $0 >"/dev/stderr"
    failed = 1
    exit 1
}

{
    printf "FILE_DATA(%d, \"%s\");\n", n, $0
    names[n++] = $0
}

END {
    if (failed)
        exit 1
    print "\nconst struct embedded_file embedded_files[] = {"
    for (i = 0; i < n; i++)
        printf "    {\"%s\", embedded_%d, embedded_%d_end},\n", names[i], i, i
    print "    {0},\n};"
}
