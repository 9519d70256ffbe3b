"""File name suffixes of photos and clips."""

PHOTO_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
        *(".png", ".apng", ".gif", ".webp", ".avif", ".avifs", ".bmp", ".dib", ".tif", ".tiff"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".icb", ".vda", ".vst", ".qoi", ".psd"),
        *(".ico", ".cur", ".icns", ".pcx", ".dcx", ".pcd", ".pxr", ".sgi", ".rgb", ".rgba", ".bw"),
        *(".ras", ".dds", ".blp", ".ftc", ".ftu", ".gbr", ".fit", ".fits", ".fli", ".flc", ".im"),
        *(".msp", ".xbm", ".xpm"),
    }
)
"""Suffixes of all formats that Pillow decodes on its own."""
UNREADABLE_SUFFIXES = frozenset(
    {
        *(".heic", ".heif", ".hif", ".jxl", ".jxr", ".svg", ".eps", ".ps", ".wmf", ".emf", ".pdf"),
        *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw"),
        *(".dcm", ".exr", ".hdr", ".xcf", ".psb", ".kra"),
    }
)
"""Suffixes of image formats that Pillow cannot read, or reads only with other programs."""

CLIP_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".mj2", ".ismv", ".psp"),
        *(".avi", ".divx", ".mkv", ".mk3d", ".webm", ".wmv", ".asf", ".flv", ".rm", ".rmvb"),
        *(".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".mpv", ".vob", ".mod", ".tod", ".wtv"),
        *(".ts", ".m2t", ".m2ts", ".mts", ".ogv", ".ogg", ".ogm", ".dv", ".dif", ".mxf", ".gxf"),
        *(".264", ".h264", ".avc", ".265", ".h265", ".hevc", ".obu", ".ivf", ".h261", ".h263"),
        *(".mjpeg", ".mjpg", ".gif", ".y4m", ".nut", ".amv", ".dav"),
    }
)
"""Suffixes, with aliases, of the video containers and streams that FFmpeg reads."""
